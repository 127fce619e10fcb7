"""Procedural things that stand in the light.

An occluder is a function ``(rng, n) -> (n, n) float32`` opacity in [0, 1] on a square of
EXTENT_MM millimetres, whose middle lies on the line from the face's centre to the light, plus its
range of distances. To add one, write the function and add a row to OCCLUDERS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from dataset_tools.noise import fractal

EXTENT_MM = 400.0
Texture = Callable[[np.random.Generator, int], np.ndarray]
_SHIFT = 4  # sub-pixel bits of OpenCV's drawing


def _to_fixed(points_mm: np.ndarray, n: int) -> np.ndarray:
    """Millimetres from the middle -> OpenCV fixed-point pixels."""
    pixels = (np.asarray(points_mm, np.float64) / EXTENT_MM + 0.5) * n
    return np.round(pixels * (1 << _SHIFT)).astype(np.int32)


def _polygon(canvas: np.ndarray, points_mm: np.ndarray) -> None:
    cv2.fillPoly(canvas, [_to_fixed(points_mm, len(canvas))], (255,), cv2.LINE_AA, _SHIFT)


def _capsule(canvas: np.ndarray, start, end, r0: float, r1: float) -> None:
    """A limb: the hull of two discs, radii in mm."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    disc = np.stack([np.cos(turn), np.sin(turn)], 1)
    points = np.concatenate([np.asarray(start) + r0 * disc, np.asarray(end) + r1 * disc])
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    _polygon(canvas, hull)


def _unit8(canvas: np.ndarray) -> np.ndarray:
    return canvas.astype(np.float32) / 255


def _heading(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def half_plane(rng: np.random.Generator, n: int) -> np.ndarray:
    """A wall or roof: one long edge, straight or a little wavy, anywhere across the face."""
    canvas = np.zeros((n, n), np.uint8)
    across = np.linspace(-600, 600, 60)
    bend = rng.normal(0, 6) * np.sin(across / rng.uniform(30, 120) + rng.uniform(0, 6))
    bend = bend * (rng.random() < 0.5)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-55, 55)
    along, away = _heading(angle), _heading(angle + np.pi / 2)
    edge = across[:, None] * along + (offset + bend)[:, None] * away
    _polygon(canvas, np.concatenate([edge, edge[::-1] + 900 * away]))
    return _unit8(canvas)


def brim(rng: np.random.Generator, n: int) -> np.ndarray:
    """The brim of a hat or the edge of hair: a wide arc that covers the upper face."""
    canvas = np.zeros((n, n), np.uint8)
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    wobble = 1 + rng.normal(0, 0.015) * np.sin(turn * rng.integers(5, 14) + rng.uniform(0, 6))
    radii = rng.uniform(90, 200), rng.uniform(50, 110)
    low = rng.uniform(-50, 25)
    points = np.stack([radii[0] * np.cos(turn), radii[1] * np.sin(turn)], 1) * wobble[:, None]
    _polygon(canvas, points + np.array([rng.normal(0, 15), low - radii[1]]))
    return _unit8(canvas)


def hand(rng: np.random.Generator, n: int) -> np.ndarray:
    """A palm with three to five fingers on a forearm, from any side."""
    canvas = np.zeros((n, n), np.uint8)
    angle = rng.uniform(0, 2 * np.pi)
    out, side = _heading(angle), _heading(angle + np.pi / 2)
    palm = rng.normal(0, 40, 2)
    size = rng.uniform(0.85, 1.2)
    _capsule(canvas, palm - 18 * size * out, palm + 18 * size * out, 36 * size, 38 * size)
    _capsule(canvas, palm - 40 * size * out, palm - 420 * out, 26 * size, 42 * size)
    spread = rng.uniform(0.02, 0.28)
    for finger in range(int(rng.integers(3, 6))):
        place = finger - 1.7
        root = palm + size * (38 * out + 18 * place * side)
        bent = rng.uniform(0.35, 1.0) if rng.random() < 0.3 else rng.uniform(0.85, 1.0)
        tip = root + size * bent * 78 * _heading(angle + spread * place + rng.normal(0, 0.04))
        _capsule(canvas, root, tip, 10 * size, 7.5 * size)
    if rng.random() < 0.6:
        turn = rng.choice([-1.0, 1.0])
        root = palm + size * turn * 30 * side
        _capsule(canvas, root, root + size * 65 * _heading(angle + turn * 0.8), 13 * size, 9 * size)
    return _unit8(canvas)


def arm(rng: np.random.Generator, n: int) -> np.ndarray:
    """A limb, pole or stick across the face."""
    canvas = np.zeros((n, n), np.uint8)
    angle = rng.uniform(0, 2 * np.pi)
    middle = rng.normal(0, 35, 2)
    r = rng.uniform(4, 45, 2) if rng.random() < 0.4 else np.repeat(rng.uniform(6, 40), 2)
    end = -400.0 if rng.random() < 0.5 else rng.uniform(-40, 0)
    _capsule(canvas, middle + end * _heading(angle), middle + 400 * _heading(angle), *r)
    return _unit8(canvas)


def silhouette(rng: np.random.Generator, n: int) -> np.ndarray:
    """A closed smooth outline with a few lobes: another head, a bag, a hand far away."""
    canvas = np.zeros((n, n), np.uint8)
    turn = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    r = np.ones_like(turn)
    for k in range(2, 8):
        r += rng.normal(0, 0.32 / k) * np.cos(k * turn + rng.uniform(0, 6.3))
    outline = np.maximum(r, 0.15)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    stretch = rng.uniform(22, 85) * np.array([1, rng.uniform(0.5, 1.6)])
    _polygon(canvas, outline * stretch + rng.normal(0, 42, 2))
    return _unit8(canvas)


def slab(rng: np.random.Generator, n: int) -> np.ndarray:
    """A phone, book, board or sign: a rectangle at any angle."""
    canvas = np.zeros((n, n), np.uint8)
    a, b = rng.uniform(18, 90), rng.uniform(30, 160)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = a * _heading(angle), b * _heading(angle + np.pi / 2)
    _polygon(canvas, np.stack([x + y, x - y, -x - y, -x + y]) + rng.normal(0, 55, 2))
    return _unit8(canvas)


def branches(rng: np.random.Generator, n: int) -> np.ndarray:
    """A few forking twigs without leaves."""
    canvas = np.zeros((n, n), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        _grow(
            canvas, rng, rng.normal(0, 110, 2), rng.uniform(0, 6.3), r=rng.uniform(2.5, 11), left=4
        )
    return _unit8(canvas)


def _grow(canvas, rng: np.random.Generator, start, angle: float, *, r: float, left: int) -> None:
    if left == 0 or r < 0.7:
        return
    for _ in range(int(rng.integers(2, 5))):
        angle += rng.normal(0, 0.22)
        end = start + rng.uniform(25, 60) * _heading(angle)
        _capsule(canvas, start, end, r, 0.88 * r)
        start, r = end, 0.88 * r
        if rng.random() < 0.6:
            turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.1)
            _grow(canvas, rng, start, angle + turn, r=0.6 * r, left=left - 1)


def twig(rng: np.random.Generator, n: int) -> np.ndarray:
    """One to three thin bent stems near the face, some with buds or small leaves at their sides."""
    canvas = np.zeros((n, n), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.10)
        r, bud = rng.uniform(1.5, 6.0), 0.35 * (rng.random() < 0.6)
        point = rng.normal(0, 45, 2) - rng.uniform(20, 160) * _heading(angle)
        for _ in range(int(rng.integers(6, 22))):
            angle += bend + rng.normal(0, 0.05)
            end = point + 14 * _heading(angle)
            _capsule(canvas, point, end, r, 0.98 * r)
            if rng.random() < bud:
                _leaf(canvas, rng, end, rng.uniform(8, 26), rng.uniform(0.4, 0.9))
            point, r = end, 0.98 * r
    return _unit8(canvas)


def leaves(rng: np.random.Generator, n: int) -> np.ndarray:
    """Foliage: clusters of pointed leaves, some on twigs."""
    canvas = np.zeros((n, n), np.uint8)
    if rng.random() < 0.6:
        _grow(
            canvas, rng, rng.normal(0, 100, 2), rng.uniform(0, 6.3), r=rng.uniform(1.5, 5), left=3
        )
    length = rng.uniform(14, 48)
    slim = rng.uniform(0.22, 0.5)
    for _ in range(int(rng.integers(2, 6))):
        middle = rng.normal(0, 75, 2)
        for _ in range(int(rng.integers(4, 22))):
            _leaf(canvas, rng, middle + rng.normal(0, 34, 2), length, slim)
    return _unit8(canvas)


def _leaf(canvas, rng: np.random.Generator, base, length: float, slim: float) -> None:
    t = np.linspace(0, 1, 10)
    half = slim * rng.uniform(0.4, 1.0) * np.sin(np.pi * t**0.8)
    size, angle = length * rng.uniform(0.6, 1.3), rng.uniform(0, 2 * np.pi)
    along, away = _heading(angle), _heading(angle + np.pi / 2)
    upper = t[:, None] * along + half[:, None] * away / 2
    lower = t[::-1, None] * along - half[::-1, None] * away / 2
    _polygon(canvas, base + size * np.concatenate([upper, lower]))


def blinds(rng: np.random.Generator, n: int) -> np.ndarray:
    """Parallel slats or railings, one width, any angle."""
    canvas = np.zeros((n, n), np.uint8)
    pitch = rng.uniform(14, 75)
    share = rng.uniform(0.25, 0.7)
    angle = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.4)
    along, away = _heading(angle), _heading(angle + np.pi / 2)
    for place in np.arange(-350, 350, pitch) + rng.uniform(0, pitch):
        a, b = place * away, (place + pitch * share) * away
        _polygon(
            canvas, np.stack([a - 600 * along, a + 600 * along, b + 600 * along, b - 600 * along])
        )
    return _unit8(canvas)


def lattice(rng: np.random.Generator, n: int) -> np.ndarray:
    """A window frame or fence: two crossing sets of bars."""
    first = blinds(rng, n)
    return np.maximum(first * (rng.random() < 0.9), blinds(rng, n))


def perlin(rng: np.random.Generator, n: int) -> np.ndarray:
    """Thresholded fractal noise: the irregular blotches of Zhang 2020."""
    field = fractal(rng, (n, n), int(rng.integers(2, 6)), 4, rng.uniform(0.3, 0.6))
    level, width = rng.uniform(-0.6, 0.6), rng.choice([0.02, 0.08, 0.3], p=[0.5, 0.3, 0.2])
    return np.clip((field - level) / width + 0.5, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Occluder:
    """A texture and where it stands: distance in mm from the face, opacity, share of the mix."""

    texture: Texture
    distance: tuple[float, float]
    share: float
    opacity: tuple[float, float] = (1.0, 1.0)


OCCLUDERS: dict[str, Occluder] = {
    "half_plane": Occluder(half_plane, (200, 4000), 0.14),
    "brim": Occluder(brim, (20, 120), 0.12),
    "hand": Occluder(hand, (60, 700), 0.17),
    "arm": Occluder(arm, (50, 600), 0.09),
    "silhouette": Occluder(silhouette, (80, 1200), 0.15),
    "slab": Occluder(slab, (60, 600), 0.07),
    "branches": Occluder(branches, (300, 4000), 0.07),
    "leaves": Occluder(leaves, (300, 5000), 0.08, (0.6, 1.0)),
    "blinds": Occluder(blinds, (200, 1500), 0.03),
    "lattice": Occluder(lattice, (200, 1500), 0.02),
    "perlin": Occluder(perlin, (100, 3000), 0.06),
    "twig": Occluder(twig, (30, 700), 0.0),  # only where a recipe asks for it
}


def choose(
    rng: np.random.Generator,
    names: Sequence[str] = (),
    shares: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """One of ``names`` (default: all), by the shares of the mix or those given in their place."""
    names = tuple(names) or tuple(OCCLUDERS)
    weights = np.array([shares.get(name, OCCLUDERS[name].share) for name in names])
    if not weights.any():  # asked for by name, though the mix has none of them
        weights = np.ones(len(names))
    return str(rng.choice(names, p=weights / weights.sum()))
