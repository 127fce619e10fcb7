"""Writes demo/examples/: shadows rendered on scikit-image's astronaut (NASA, public domain).

    python scripts/make_examples.py

``NAME.jpg`` is the shadowed portrait, ``NAME-clean.jpg`` the same frame without the shadow. The
pictures in the repository were drawn by an earlier recipe and stay as they are, because scores of
the quick start are compared over time; running this replaces them by others.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "demo" / "examples"
SIZE, QUALITY, SEED = 512, 90, 7
CHOSEN = {
    "hand": ("hand", 3),
    "wall": ("half_plane", 4),
    "brim": ("brim", 0),
    "blinds": ("blinds", 1),
    "leaves": ("leaves", 0),
}
"""Name -> occluder and number of the draw, chosen by eye for variety."""


def examples() -> Iterator[tuple[str, np.ndarray]]:
    """File stem and uint8 RGB picture of every example, the plain portrait first."""
    from dataset_tools.recipe import RECIPES
    from dataset_tools.render import render
    from demo.quickstart import astronaut_face

    picture, face = astronaut_face()
    yield "portrait", picture
    plain = {"relit": 0.0, "close_up": 0.0, "second_occluder": 0.0, "person_only": 1.0}
    for name, (occluder, number) in CHOSEN.items():
        recipe = dataclasses.replace(
            RECIPES["faceshadow"],
            mix={"occluder": 1.0},
            occluders=(occluder,),
            coverage=(0.25, 0.6),
            **plain,
        )
        pair = render(picture, face, (SEED, number), recipe, SIZE)
        yield name, pair.shadow
        yield f"{name}-clean", pair.clean


def main() -> None:
    """Renders and writes them all."""
    from PIL import Image

    FOLDER.mkdir(exist_ok=True)
    for stem, picture in examples():
        Image.fromarray(picture).save(FOLDER / f"{stem}.jpg", quality=QUALITY, subsampling=0)
        print(FOLDER / f"{stem}.jpg")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
