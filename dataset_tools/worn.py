"""What people wear or have on their faces, in input and target alike: to be left alone.

Portraits at hand show nobody in sunglasses or behind a mask, so that a model trained on them takes
black glass and black cloth on a face for a shadow. None of it is dark for want of light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dataset_tools.gaussian import blur
from dataset_tools.geometry import Surface, unit
from dataset_tools.landmarks import CHIN, FOREHEAD
from dataset_tools.noise import fractal, smooth_field
from learnir.images import luminance

EYES = ((33, 133), (362, 263))  # corners, the picture's left eye first
TEMPLES = (127, 356)
EARS = (234, 454)
JAW = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152)  # from the ear down to the chin,
OTHER_JAW = (377, 400, 378, 379, 365, 397, 288, 361, 323)  # and up to the other one
SUBPIXEL = 4  # bits


@dataclass(frozen=True)
class Canvas:
    """A face to put things on.

    Attributes:
        linear: (H, W, 3), linear light.
        covered: (H, W) in [0, 1], where no skin is left to see.
        points: (478, 3) landmarks, pixels.
        scene: the surface of the face.
        x, y, z: unit vectors (3,) to the face's left eye, its chin and its front; they turn the
            other way round where the frame is mirrored.
    """

    linear: np.ndarray
    covered: np.ndarray
    points: np.ndarray
    scene: Surface
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @classmethod
    def of(cls, linear: np.ndarray, points: np.ndarray, scene: Surface) -> Canvas:
        """A face that wears nothing yet."""
        x = unit(points[EYES[1][1]] - points[EYES[0][0]])
        down = points[CHIN] - points[FOREHEAD]
        y = unit(down - (down @ x) * x)
        z = np.cross(x, y)
        z = z * np.copysign(np.float32(1), z[2])  # a mirrored face's x points to the left
        return cls(linear, np.zeros(linear.shape[:2], np.float32), points, scene, x, y, z)

    def at(self, origin: np.ndarray, mm: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) of places (N, 3) in mm along the face's axes from a point (3,) in px."""
        return (origin + mm @ np.stack([self.x, self.y, self.z]) / self.scene.mm)[..., :2]

    def painted(self, where: np.ndarray, colour: np.ndarray, opaque: bool = True) -> Canvas:
        """With ``colour``, linear and (3,) or (H, W, 3), where ``where`` (H, W) is 1."""
        linear = self.linear + where[..., None] * (colour - self.linear)
        covered = np.maximum(self.covered, where) if opaque else self.covered
        return replace(self, linear=linear.astype(np.float32), covered=covered)

    def filled(self, outline: np.ndarray) -> np.ndarray:
        """1 inside of a polygon (N, 2) px, (H, W)."""
        mask = np.zeros(self.covered.shape, np.uint8)
        cv2.fillPoly(mask, [_fine(outline)], (255,), cv2.LINE_AA, SUBPIXEL)
        return self._softened(mask)

    def drawn(self, line: np.ndarray, mm: float, closed: bool = False) -> np.ndarray:
        """1 on a line through (N, 2) px, so many mm wide, (H, W)."""
        mask = np.zeros(self.covered.shape, np.uint8)
        width = max(round(mm / self.scene.mm), 1)
        cv2.polylines(mask, [_fine(line)], closed, (255,), width, cv2.LINE_AA, SUBPIXEL)
        return self._softened(mask)

    def _softened(self, mask: np.ndarray) -> np.ndarray:
        return blur(mask.astype(np.float32) / 255, 0.5)


def _fine(points: np.ndarray) -> np.ndarray:
    return np.round(points * 2**SUBPIXEL).astype(np.int32)


def put_on(
    rng: np.random.Generator, linear: np.ndarray, points: np.ndarray, scene: Surface
) -> tuple[np.ndarray, Surface, str]:
    """Puts something on a face in a linear picture (H, W, 3).

    Returns the picture, the surface with the skin that is still seen, and the thing's name.
    """
    shares = np.array([share for _, share in THINGS.values()])
    name = str(rng.choice(list(THINGS), p=shares / shares.sum()))
    canvas = THINGS[name][0](rng, Canvas.of(linear, points, scene))
    skin = scene.skin * (1 - canvas.covered)
    return np.clip(canvas.linear, 0, 1), replace(scene, skin=skin), name


def draw_colour(rng: np.random.Generator, black: float) -> np.ndarray:
    """Linear (3,); a share ``black`` of nearly black ones, the rest from dark to white."""
    if rng.random() < black:
        return np.exp(rng.uniform(np.log(0.004), np.log(0.05))) * np.exp(rng.normal(0, 0.08, 3))
    vivid = 0.6 if rng.random() < 0.5 else 0.1
    level = np.exp(rng.uniform(np.log(0.03), np.log(0.7)))
    return np.minimum(level * np.exp(rng.normal(0, vivid, 3)), 0.9)


def glasses(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Sunglasses: round, square or drop-shaped, black, brown, graded or mirroring the sky."""
    half = np.array([rng.uniform(21, 31), rng.uniform(15, 25)])
    power, drop = np.exp(rng.uniform(np.log(1.8), np.log(5))), rng.uniform(-0.05, 0.2)
    frame = draw_colour(rng, 0.6)
    rim, front = rng.uniform(0.8, 4.5), rng.uniform(8, 16)
    lens = _draw_lens(rng, canvas)
    outlines = [_lens_outline(canvas, i, half, power, drop, front) for i in (0, 1)]
    for i, temple in enumerate(TEMPLES):
        outer = outlines[i][np.argmin(outlines[i] @ canvas.x[:2] * (1, -1)[i])]
        line = np.stack([outer, canvas.points[temple, :2]])
        canvas = canvas.painted(canvas.drawn(line, rng.uniform(2, 6)), frame)
    inner = [outlines[i][np.argmax(outlines[i] @ canvas.x[:2] * (1, -1)[i])] for i in (0, 1)]
    high = canvas.y[:2] * half[1] * rng.uniform(0.1, 0.6) / canvas.scene.mm
    canvas = canvas.painted(canvas.drawn(np.stack(inner) - high, rng.uniform(2, 5)), frame)
    for outline in outlines:
        canvas = canvas.painted(canvas.filled(outline), lens(canvas))
        canvas = canvas.painted(canvas.drawn(outline, rim, closed=True), frame)
    return canvas


def _lens_outline(
    canvas: Canvas, eye: int, half: np.ndarray, power: float, drop: float, front: float
) -> np.ndarray:
    """(N, 2) px: a superellipse ``half`` (2,) mm, its lower part moved outward by ``drop``."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    u, v = (np.sign(c) * np.abs(c) ** (2 / power) for c in (np.cos(angle), np.sin(angle)))
    outward = (-1, 1)[eye]
    along = half[0] * (u * (1 - drop * v) + outward * (0.06 + drop * v))
    down = half[1] * v + 0.12 * half[1]
    centre = canvas.points[list(EYES[eye])].mean(0)
    return canvas.at(centre, np.stack([along, down, np.full_like(u, front)], 1))


def _draw_lens(rng: np.random.Generator, canvas: Canvas) -> Callable[[Canvas], np.ndarray]:
    """What both lenses show: dark glass, a little of what is behind it and of the sky before it."""
    H, W = canvas.covered.shape
    glass = np.exp(rng.uniform(np.log(0.002), np.log(0.03))) * np.exp(rng.normal(0, 0.3, 3))
    clear = 0.35 * rng.random() ** 2
    tint = np.exp(rng.normal(0, 0.25, 3))
    rows, columns = np.indices((H, W), np.float32)
    eyes = canvas.points[[*EYES[0], *EYES[1]]].mean(0)
    down = ((columns - eyes[0]) * canvas.y[0] + (rows - eyes[1]) * canvas.y[1]) * canvas.scene.mm
    lighter = np.exp(rng.uniform(0, 1.5) * np.clip(down / 25, -1, 1))[..., None]
    amount = rng.uniform(0.1, 0.5) if rng.random() < 0.15 else 0.12 * rng.random() ** 2
    horizon = down + 12 * smooth_field(rng, (H, W), 4) - rng.uniform(-12, 12)
    sky = 1 / (1 + np.exp(np.clip(horizon / rng.uniform(0.5, 6), -30, 30)))
    mirrored = amount * np.exp(rng.normal(0, 0.3, 3)) * sky[..., None]
    return lambda seen: glass * lighter + clear * tint * seen.linear + mirrored


def mask(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """A mask over nose and mouth, with loops around the ears."""
    p = canvas.points[:, :2]
    side = int(rng.integers(0, 3))
    cheeks = ((117, 346), (50, 280), (205, 425))[int(rng.integers(0, 3))]
    nose = int(rng.choice([6, 197, 195, 5]))
    jaw, other = JAW[side:], OTHER_JAW[: len(OTHER_JAW) - side]
    middle = p[list(JAW)].mean(0) * 0.5 + p[list(OTHER_JAW)].mean(0) * 0.5
    lower = middle + rng.uniform(1.0, 1.1) * (p[[*jaw, *other]] - middle)
    outline = np.concatenate([lower, p[[cheeks[1], nose, cheeks[0]]]])
    cloth = _cloth(rng, canvas, draw_colour(rng, 0.5), pleats=rng.random() < 0.5)
    loop, width = draw_colour(rng, 0.5), rng.uniform(1, 2.5)
    for ear, near in zip(EARS, (lower[0], lower[-1]), strict=True):
        canvas = canvas.painted(canvas.drawn(np.stack([near, p[ear]]), width), loop)
    return canvas.painted(canvas.filled(outline), cloth)


def _cloth(
    rng: np.random.Generator, canvas: Canvas, colour: np.ndarray, pleats: bool
) -> np.ndarray:
    """Cloth in the light that the face has, (H, W, 3)."""
    H, W = canvas.covered.shape
    y = blur(luminance(canvas.linear), 10 / canvas.scene.mm) + 0.01
    face = canvas.scene.face
    shade = np.clip(y / float(np.median(y[face]) if face.any() else y.mean()), 0.4, 1.6)
    shade = shade * np.exp(rng.uniform(0.02, 0.12) * fractal(rng, (H, W), 12, 4))
    if pleats:
        rows, columns = np.indices((H, W), np.float32)
        down = (columns * canvas.y[0] + rows * canvas.y[1]) * canvas.scene.mm
        shade = shade * (
            1 + rng.uniform(0.05, 0.25) * np.sin(2 * np.pi * down / rng.uniform(12, 25))
        )
    if rng.random() < 0.15:
        printed = smooth_field(rng, (H, W), int(rng.integers(4, 30))) > rng.uniform(-0.5, 0.8)
        colour = np.where(printed[..., None], draw_colour(rng, 0.3), colour)
    return np.clip(shade[..., None] * colour, 0, 1)


def band(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """A strip of cloth across the face: a headband, the strap of a helmet, a scarf."""
    start = canvas.points[FOREHEAD]
    length = float(np.linalg.norm(canvas.points[CHIN] - start)) * canvas.scene.mm
    top = rng.uniform(-0.15, 0.15) if rng.random() < 0.7 else rng.uniform(0.6, 0.95)
    low = top + rng.uniform(0.08, 0.2)
    sag, tilt = rng.uniform(-0.08, 0.08), rng.normal(0, 0.06)
    across = np.linspace(-0.75, 0.75, 30)
    bend = sag * across**2 + tilt * across
    upper, lower = (
        np.stack([across * length, (edge + bend) * length, -40 * across**2], 1)
        for edge in (top, low)
    )
    outline = canvas.at(start, np.concatenate([upper, lower[::-1]]))
    head = cv2.dilate(canvas.scene.face.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    where = canvas.filled(outline) * blur(head.astype(np.float32), 0.7)
    return canvas.painted(where, _cloth(rng, canvas, draw_colour(rng, 0.5), pleats=False))


def patch(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """A patch over one eye, with its strap."""
    eye, half = int(rng.integers(0, 2)), np.array([rng.uniform(18, 26), rng.uniform(15, 24)])
    outline = _lens_outline(canvas, eye, half, rng.uniform(1.8, 3.5), 0.1, 4.0)
    cloth = _cloth(rng, canvas, draw_colour(rng, 0.7), pleats=False)
    ends = np.stack([canvas.points[TEMPLES[0], :2], canvas.points[TEMPLES[1], :2]])
    ends[1 - eye] -= canvas.y[:2] * rng.uniform(20, 60) / canvas.scene.mm
    strap = np.stack([ends[0], outline.mean(0), ends[1]])
    canvas = canvas.painted(canvas.drawn(strap, rng.uniform(2, 7)), cloth)
    return canvas.painted(canvas.filled(outline), cloth)


def _blobs(rng: np.random.Generator, canvas: Canvas) -> np.ndarray:
    """One to three spots on the skin, (H, W) in [0, 1]."""
    H, W = canvas.covered.shape
    rows, columns = np.indices((H, W), np.float32)
    total = np.zeros((H, W), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        x, y = canvas.points[int(rng.integers(0, 468)), :2]
        radius = rng.uniform(4, 28) / canvas.scene.mm
        away = np.hypot(columns - x, rows - y) / radius + 0.25 * fractal(rng, (H, W), 8, 3)
        soft = rng.uniform(0.05, 0.4)
        total = np.maximum(total, np.clip((1 - away) / soft, 0, 1))
    return blur(total, 0.6) * canvas.scene.skin


def pigment(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Birthmarks: skin that keeps red best, where a shadow outdoors keeps blue best."""
    per = np.array([rng.uniform(0.35, 0.8), 1.0, rng.uniform(1.05, 1.7)])
    kept = np.exp(-rng.uniform(0.3, 1.6) * per)
    return canvas.painted(_blobs(rng, canvas), canvas.linear * kept, opaque=False)


def paint(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Paint on the skin: spots, or a stripe under each eye."""
    colour = draw_colour(rng, 0.4)
    if rng.random() < 0.5:
        return canvas.painted(0.9 * _blobs(rng, canvas), colour)
    below, length, width = rng.uniform(18, 30), rng.uniform(12, 20), rng.uniform(4, 10)
    for corners in EYES:
        ends = np.array([[-length, below, 8], [length, below, 8]])
        line = canvas.at(canvas.points[list(corners)].mean(0), ends)
        canvas = canvas.painted(0.9 * canvas.drawn(line, width), colour)
    return canvas


Thing = Callable[[np.random.Generator, Canvas], Canvas]
THINGS: dict[str, tuple[Thing, float]] = {
    "glasses": (glasses, 0.30),
    "mask": (mask, 0.33),
    "band": (band, 0.06),
    "patch": (patch, 0.04),
    "pigment": (pigment, 0.11),
    "paint": (paint, 0.16),
}
"""What is put on, and how often."""
