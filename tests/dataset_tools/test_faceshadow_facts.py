"""What is measured of skin, against scikit-image's CIE Lab, and what rows say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab

from dataset_tools.facts import Facts, _skin_tone, skin_bin
from dataset_tools.photos import Photo
from dataset_tools.render import Pair
from dataset_tools.rows import FIELDS, make_row


@pytest.mark.parametrize(
    "colour", [(244, 208, 177), (200, 150, 120), (140, 90, 70), (70, 45, 35), (90, 110, 160)]
)
def test_the_tone_of_a_flat_patch(colour):
    picture = np.full((20, 30, 3), (0, 255, 0), np.uint8)
    skin = np.zeros((20, 30), bool)
    skin[5:15, 4:24] = True
    picture[skin] = colour
    picture[5, 4:9] = 250  # a highlight: 5 of 200 pixels
    L, a, b = rgb2lab(np.uint8([[colour]]))[0, 0]
    light, chroma, ita, clipped = _skin_tone(picture, skin)
    assert light == pytest.approx(L, abs=0.2)
    assert chroma == pytest.approx(np.hypot(a, b), abs=0.3)
    assert ita == pytest.approx(np.degrees(np.arctan2(L - 50, b)), abs=0.8)
    assert clipped == 5 / 200


def test_no_skin_is_no_tone():
    assert _skin_tone(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), bool)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("limit", "above", "at"),
    [
        (55, "very light", "light"),
        (41, "light", "intermediate"),
        (28, "intermediate", "tan"),
        (10, "tan", "brown"),
        (-30, "brown", "dark"),
    ],
)
def test_bins_of_the_typology_angle(limit, above, at):
    """Very light > 55 > light > 41 > intermediate > 28 > tan > 10 > brown > -30 > dark."""
    assert skin_bin(limit + 0.01) == above
    assert skin_bin(limit) == skin_bin(limit - 0.01) == at


@pytest.mark.parametrize(
    ("layers", "row"),
    [
        ([], ("", 0, 0)),
        ([{"layer": "self"}, {"layer": "flat", "name": "leaves"}], ("leaves", 0, 0)),
        (
            [
                {"layer": "cast", "name": "hand", "distance": 90.0, "penumbra": 3.0},
                {"layer": "cast", "name": "brim", "distance": 40.0, "penumbra": 1.0},
            ],
            ("hand,brim", 40, 3),  # the nearest, and the softer of the two
        ),
    ],
)
def test_a_row_says_what_stands_in_the_light(layers, row):
    light = {"azimuth": -90.0, "elevation": 40.0, "radius": 0.5}
    meta = {"light": light, "layers": layers, "look": None, "kind": "occluder"}
    meta |= dict.fromkeys(["coverage", "ambient", "tint", "yaw", "pitch", "mm_per_pixel"], 0.3)
    picture = np.zeros((4, 4, 3), np.uint8)
    pair = Pair(picture, picture, picture[..., 0], picture[..., 0], meta | {"person_only": True})
    photo, facts = Photo("a.png", Path("a.png"), licence="-"), Facts("a.png", "00", ita=30.0)
    provenance = {"index": 7, "seed": 1, "size": 4, "recipe": "faceshadow"}
    made = make_row(photo, facts, pair, provenance)
    assert set(made) == {*FIELDS, "shadow", "clean", "mask"}
    assert (made["occluders"], made["distance"], made["penumbra"]) == row
    assert (made["id"][-4:], made["licence"], made["relit"]) == ("-007", "unknown", False)
    assert (made["skin_tone"], made["light_radius"]) == ("intermediate", 0.5)
    assert json.loads(made["parameters"])["layers"] == layers
