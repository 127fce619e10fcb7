"""The rim of a relit person against composites whose colours are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataset_tools import render
from dataset_tools.fringe import decontaminated
from dataset_tools.geometry import surface
from dataset_tools.landmarks import Landmarks
from dataset_tools.light import Light, smoothstep
from dataset_tools.recipe import Recipe
from dataset_tools.relight import draw_look, relight
from learnir.images import decode_linear, encode_linear

HAIR, WALL = np.float32([0.02, 0.015, 0.01]), np.float32([0.65, 0.68, 0.7])


def disc(size: int, radius: float, soft: float) -> np.ndarray:
    """Share of each pixel that a disc in the middle covers; (H, W)."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    return np.clip((radius - np.hypot(rows, columns)) / soft + 0.5, 0, 1).astype(np.float32)


@pytest.mark.parametrize("mm", [1.0, 0.4])
@pytest.mark.parametrize("wider", [0.0, 1.0])  # a matte may reach a pixel beyond the person
def test_the_rim_takes_the_persons_colour(wider, mm):
    """Two millimetres of it, in however many pixels; less where there is less of the person."""
    share = disc(128, 40, 2 / mm)[..., None]
    person = smoothstep((disc(128, 40 + wider, 2 / mm) - 0.25) / 0.5)
    base = decontaminated(share * HAIR + (1 - share) * WALL, person, mm)
    taken = np.minimum(1, person / 0.4)[..., None]
    left = HAIR + (1 - taken) * (1 - share) * (WALL - HAIR)
    assert np.abs(base - left)[person > 0].max() < 0.01
    assert np.allclose(base[person == 0], (share * HAIR + (1 - share) * WALL)[person == 0])


def test_the_inside_and_single_hairs_keep_what_they_are():
    rng = np.random.default_rng(0)
    picture = rng.random((96, 96, 3)).astype(np.float32)
    person = disc(96, 30, 2)
    person[:, 90] = 1
    base = decontaminated(picture, person, 1.0)
    assert np.array_equal(base[disc(96, 26, 1) == 1], picture[disc(96, 26, 1) == 1])
    assert np.array_equal(base[:, 90], picture[:, 90])


def test_behind_the_rim_stands_the_photographed_wall(face):
    """Not the person's colours, which reach beyond the outline there."""
    scene, share = surface(face.points * 0.25, (128, 128)), disc(128, 40, 3)
    picture = share[..., None] * HAIR + (1 - share[..., None]) * WALL
    look = replace(draw_look(np.random.default_rng(0), Recipe()), background=0.5, backdrop=None)
    lit, _ = relight(
        decontaminated(picture, share, 1.0),
        scene,
        person=share,
        light=Light(-90, 40, 1.0),
        ambient=np.full_like(picture, 0.2),
        look=look,
        wall=picture,
    )
    assert np.allclose(lit[share <= 0.4], 0.5 * picture[share <= 0.4], atol=1e-6)


def test_a_relit_head_has_no_pale_rim_before_a_dark_wall(face, monkeypatch):
    """A dark head cut from a white wall, relit before a dark one: nothing between is brighter."""
    head = disc(512, 95, 3)
    picture = encode_linear(head[..., None] * HAIR + (1 - head[..., None]) * WALL)
    points = face.points + np.float32([256 - 224, 256 - 130, 0])
    face = Landmarks(points, np.round(255 * head).astype(np.uint8), 1)
    drawn = render.draw_look

    def dark(rng, recipe):
        return replace(drawn(rng, recipe), background=0.02, backdrop=None, exposure=1.0, gloss=0.0)

    monkeypatch.setattr(render, "draw_look", dark)
    recipe = Recipe(relit=1.0, mix={"none": 1.0}, noisy=0.0)
    for seed in range(4):
        clean = decode_linear(render.render(picture, face, seed, recipe, 256).clean)
        seen = clean[8:-8, 8:-8]  # where the frame cuts the head nothing tells its colour
        assert seen.max() < 2 * clean[80:176, 80:176].max()  # mixed with the wall: 16 times
