"""Portraits without a shadow of ours, restored: how many come back changed, by light and skin.

    python scripts/left_alone.py DATASET PHOTOS CHECKPOINT [...] [--splits val test] [--grey] \\
        [-o docs/results/left_alone.json]

DATASET: a build of ``faceshadow build PHOTOS DATASET``, which knows what curation found of every
photo and to which split its person was dealt. Restored as a user's picture is, close-ups included,
and compared with itself at its own size. "uneven light" are photos that only their light keeps out
of the data set; some may hold a shadow that ought to go. Those that surely do, or that another
filter left out for more than its exposure, are not counted. Skin is the typology angle measured in
the picture, which dim light lowers.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fill_page import markdown
from odd_pictures import grey as black_and_white
from result_files import write_result
from score_weights import finite_psnr

from dataset_tools.curation import Thresholds
from dataset_tools.facts import Facts, skin_bin
from dataset_tools.photos import Photo
from dataset_tools.splits import names_of, remembered
from learnir import LearnIR
from learnir.decoding import decode_rgb
from learnir.writing import write_json

GROUPS = {
    "": "kept",
    "evenly_lit": "uneven light",
    "surely_shadow_free": "uneven light",
    "well_exposed": "badly exposed",
}
"""Groups of photos by the filter that left them out."""
SURE = Thresholds().reject_score
LIMITS = (36.0, 25.0)  # dB: changed visibly, and badly
ABOUT = {"photos": "group", "skin": "skin", "pictures": "photos"}
DARK = ("brown", "dark")
DARK_SKIN, OTHER_SKIN = "brown or dark", "lighter"


def listed(dataset: Path, splits: Sequence[str]) -> list[dict[str, str]]:
    """Rows of the curation table, with "group" and "skin", of photos dealt to ``splits``."""
    known = remembered(dataset)
    found = []
    for row in csv.DictReader((dataset / "report" / "curation.csv").open(encoding="utf-8")):
        facts = Facts(row["photo"], row["sha256"], faces=int(row["faces"]))
        names = names_of(Photo(row["photo"], Path(row["photo"]), identity=row["identity"]), facts)
        split = next((known[name] for name in names if name in known), None)
        sure = float(row["shadow_score"]) > SURE
        if row["step"] in GROUPS and split in splits and not sure:
            dark = DARK_SKIN if skin_bin(float(row["ita"])) in DARK else OTHER_SKIN
            found.append(row | {"group": GROUPS[row["step"]], "skin": dark})
    return found


def unchanged(learnir: LearnIR, path: Path, grey: bool) -> float:
    """PSNR of a restored picture against itself."""
    picture = decode_rgb(path.read_bytes(), str(path))
    if grey:
        picture = black_and_white(picture)
    return finite_psnr(learnir.restore(picture, seed=0).picture, picture)


def changes(values: np.ndarray) -> dict[str, float]:
    """Mean of PSNRs of pictures against themselves, and shares below LIMITS."""
    shares = {f"under_{limit:.0f}": float((values < limit).mean()) for limit in LIMITS}
    return {"psnr": float(values.mean())} | shares


def summary(checkpoint: str, rows: list[dict[str, str]], values: np.ndarray) -> list[dict]:
    """Photos, mean and shares below LIMITS of every group and skin."""
    found: list[dict[str, Any]] = []
    for group in dict.fromkeys(row["group"] for row in rows):
        for skin in (DARK_SKIN, OTHER_SKIN):
            chosen = values[[row["group"] == group and row["skin"] == skin for row in rows]]
            if len(chosen):
                about = {"checkpoint": checkpoint, "group": group, "skin": skin}
                found.append(about | {"photos": len(chosen)} | changes(chosen))
    return found


def table(found: Sequence[dict[str, Any]], about: Mapping[str, str] = ABOUT) -> str:
    """Markdown: one row per group and skin, of every checkpoint if there are several.

    ``about``: the columns that say what ``changes`` are of, and their keys in a row.
    """
    limits = [(f"under {limit:.0f} dB", f"under_{limit:.0f}") for limit in LIMITS]
    head = [*about, "mean PSNR, dB", *(label for label, _ in limits)]
    rows = [
        [
            *(r[key] for key in about.values()),
            f"{r['psnr']:.1f}",
            *(f"{r[key]:.1%}" for _, key in limits),
        ]
        for r in found
    ]
    if len({r["checkpoint"] for r in found}) > 1:
        head = ["weights", *head]
        rows = [[r["checkpoint"], *row] for r, row in zip(found, rows, strict=True)]
    return markdown([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("photos", type=Path, help="the folder that the table's names begin in")
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--splits", nargs="+", default=["val", "test"])
    parser.add_argument("--grey", action="store_true", help="the photos in black and white")
    parser.add_argument("--only", type=Path, help="file of names, one a line: these photos alone")
    parser.add_argument("-o", "--out", type=Path, help="the table; it names nobody")
    parser.add_argument("--each", type=Path, help="PSNR of every photo, by name")
    options = parser.parse_args()
    rows = listed(options.dataset, options.splits)
    if options.only:
        names = set(options.only.read_text(encoding="utf-8").split("\n"))
        rows = [row for row in rows if row["photo"] in names]
    found, single = [], {}
    for checkpoint in options.checkpoints:
        learnir = LearnIR.from_pretrained(checkpoint)
        values = [unchanged(learnir, options.photos / row["photo"], options.grey) for row in rows]
        single[checkpoint] = {row["photo"]: v for row, v in zip(rows, values, strict=True)}
        found += summary(checkpoint, rows, np.array(values))
    print(table(found))
    if options.out:
        write_result(options.out, {"rows": found}, options.checkpoints[0])
    if options.each:
        write_json(options.each, single)


if __name__ == "__main__":
    main()
