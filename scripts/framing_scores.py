"""How well a large face is restored in pictures of several shapes: in one look, and closely.

    python scripts/framing_scores.py DATASET PHOTOS [-o docs/results/framings.json]

PHOTOS is the folder that DATASET was built from, as for ``left_alone.py``; taken are portraits of
768 px or more of people whom it dealt to val or test. A shadow is drawn over each, and the result
is cut, and continued at the sides, so that the face (from brow to chin) is FACES of its height and
its sides have the ratios SHAPES. PSNR of whole pictures, in dB.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from left_alone import listed
from PIL import Image
from result_files import write_result
from score_weights import finite_psnr

from dataset_tools.landmarks import open_detector
from dataset_tools.recipe import RECIPES
from dataset_tools.render import render
from learnir import LearnIR
from learnir.faces import Box, find_faces
from learnir.files import read_photo

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / "framings.json"
FACES = (0.4, 0.6, 0.8)
SHAPES = {"3 : 4": 3 / 4, "1 : 1": 1.0, "4 : 3": 4 / 3, "16 : 9": 16 / 9}
SIZE = 768
NOTICED = 0.05  # dB
LARGEST = 0.46  # of SIZE: of higher faces there is too little around them

Pair = tuple[np.ndarray, np.ndarray]


def held_out(dataset: Path, folder: Path) -> list[Path]:
    """Large photos of people whom the training has not seen."""
    kept = [row for row in listed(dataset, ("val", "test")) if row["group"] == "kept"]
    photos = [folder / row["photo"] for row in kept]
    return [photo for photo in photos if min(Image.open(photo).size) >= SIZE]


def portraits(photos: Sequence[Path]) -> Iterator[tuple[Pair, Box]]:
    """Shadowed and clean (SIZE, SIZE, 3) and where the one face is; some do not fit."""
    recipe = replace(
        RECIPES["sunlit"],
        mix={"occluder": 1.0},
        close_up=0.0,
        wide_height=(0.16, 0.3),
        coverage=(0.2, 0.8),
    )
    with open_detector() as detector:
        for number, photo in enumerate(photos):
            picture = read_photo(photo).picture
            face = detector.detect(picture)
            if face is None:
                continue
            pair = render(picture, face, (9, number), recipe, SIZE)
            boxes = find_faces(pair.clean)
            if len(boxes) == 1 and boxes[0][3] < LARGEST * SIZE:
                yield (pair.shadow, pair.clean), boxes[0]


def framed(picture: np.ndarray, box: Box, share: float, shape: float) -> np.ndarray:
    """Cut to a face of ``share`` of the height; ``shape`` is width over height."""
    _, y, _, h = box
    height = min(round(h / share), SIZE)
    top = round(float(np.clip(y + h / 2 - height / 2, 0, SIZE - height)))
    width = round(height * shape)
    missing = max(width - SIZE, 0)
    left = max(SIZE - width, 0) // 2
    rows = picture[top : top + height, left : left + min(width, SIZE)]
    sides = missing // 2, missing - missing // 2
    return cv2.copyMakeBorder(rows, 0, 0, *sides, cv2.BORDER_REPLICATE)


def row(learnir: LearnIR, pairs: list[Pair]) -> dict[str, Any]:
    """Means, and the mean difference with its standard error."""
    found = []
    for shadowed, clean in pairs:
        looks = (learnir.restore(shadowed, faces=faces).picture for faces in (False, True))
        found.append([finite_psnr(x, clean) for x in (shadowed, *looks)])
    scores = np.array(found)
    gain = scores[:, 2] - scores[:, 1]
    return {
        **dict(zip(("input", "one look", "close-ups"), scores.mean(axis=0).tolist(), strict=True)),
        "gain": float(gain.mean()),
        "better": int((gain > NOTICED).sum()),
        "worse": int((gain < -NOTICED).sum()),
        "error": float(gain.std(ddof=1) / len(gain) ** 0.5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    options = parser.parse_args()
    learnir = LearnIR.from_pretrained(device="cpu")
    made = list(portraits(held_out(options.dataset, options.photos)))
    rows = []
    for face in FACES:
        for name, shape in SHAPES.items():
            pairs = [(framed(y, b, face, shape), framed(x, b, face, shape)) for (y, x), b in made]
            rows.append({"face": face, "shape": name, **row(learnir, pairs)})
            print(rows[-1], flush=True)
    write_result(options.out, {"pictures": len(made), "rows": rows})


if __name__ == "__main__":
    main()
