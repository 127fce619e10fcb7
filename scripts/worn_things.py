"""Faces that wear something, restored: what is taken for a shadow.

    python scripts/worn_things.py DATASET CHECKPOINT [...] [-o docs/results/worn_things.json]

DATASET: a build of ``faceshadow build ... --format imagefolder``. Every shadow-free picture of its
test split has each of ``dataset_tools.worn.THINGS`` drawn on, drawn as for training but on people
that no training has seen, and is compared with itself. Pictures that come back changed without the
thing as well are left out: they tell of something else.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from candidate_scores import UNHARMED, kept
from left_alone import changes
from left_alone import table as table_of
from result_files import write_result

from dataset_tools.geometry import surface
from dataset_tools.landmarks import Landmarks, open_detector
from dataset_tools.worn import THINGS, Canvas
from learnir import LearnIR
from learnir.decoding import decode_rgb
from learnir.images import decode_linear, encode_linear

ABOUT = {"thing": "thing", "pictures": "pictures"}
Face = tuple[np.ndarray, Landmarks]


def faces(dataset: Path) -> list[Face]:
    """The shadow-free pictures of the test split in which a face is found, uint8."""
    paths = sorted((dataset / "test" / "clean").glob("*.png"))
    with open_detector() as detector:
        pictures = [decode_rgb(path.read_bytes(), str(path)) for path in paths]
        found = [(picture, detector.detect(picture)) for picture in pictures]
    return [(picture, face) for picture, face in found if face is not None]


def wearing(face: Face, name: str, seed: int) -> np.ndarray:
    """The picture with the thing on, uint8."""
    picture, landmarks = face
    scene = surface(landmarks.points, (picture.shape[0], picture.shape[1]))
    canvas = Canvas.of(decode_linear(picture), landmarks.points, scene)
    put = THINGS[name][0](np.random.default_rng([seed, list(THINGS).index(name)]), canvas)
    return encode_linear(put.linear)


def rows_of(checkpoint: str, people: list[Face]) -> list[dict[str, Any]]:
    """For every thing: how many pictures, and what changed in them."""
    learnir = LearnIR.from_pretrained(checkpoint)
    bare = kept(learnir, [(picture, picture) for picture, _ in people])
    calm = [seed for seed, value in enumerate(bare) if value >= UNHARMED]
    found = []
    for name in THINGS:
        pictures = [wearing(people[seed], name, seed) for seed in calm]
        values = np.array(kept(learnir, [(picture, picture) for picture in pictures]))
        about = {"checkpoint": checkpoint, "thing": name, "pictures": len(values)}
        found.append(about | changes(values))
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row a thing, of every checkpoint if there are several."""
    return table_of(rows, ABOUT)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--faces", type=int, help="the first so many alone")
    parser.add_argument("-o", "--out", type=Path, help="the table; it names nobody")
    options = parser.parse_args()
    people = faces(options.dataset)[: options.faces]
    rows = [row for checkpoint in options.checkpoints for row in rows_of(checkpoint, people)]
    print(table(rows))
    if options.out:
        write_result(options.out, {"rows": rows}, options.checkpoints[0])


if __name__ == "__main__":
    main()
