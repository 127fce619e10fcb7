"""Shadows on faces whose own light is uneven, restored: does that light stay?

    python scripts/side_lit.py DATASET PHOTOS ... --weights CHECKPOINT ... [--landmark-cache DIR] \\
        [-o rows.json]

PHOTOS: the folders that ``faceshadow build PHOTOS DATASET`` was given. Of the people dealt to val
and test, the photos that only their light keeps out of the data set, three pairs each: shadows of
both recipes over the light that they have, as ``faceshadow pack --uneven`` casts them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from candidate_scores import Pictures
from fill_page import markdown
from score_weights import finite_psnr

from benchmarks.metrics import psnr
from dataset_tools.adoption import adopt
from dataset_tools.build import BuildPlan, decide, find_photos, survey_photos
from dataset_tools.curation import Thresholds
from dataset_tools.pack import PackPlan, pack
from dataset_tools.recipe import RECIPES
from learnir import LearnIR
from learnir.images import to_picture
from learnir.training.archive import load_archive
from learnir.training.drawing import draw_pairs
from learnir.training.layers import Layers
from learnir.writing import write_json

DRAWS = 3
SHADOWED = 28.0  # dB: an input nearer to its target has hardly a shadow
HEAD = (
    "weights",
    "pairs",
    "input, dB",
    "restored, dB",
    "tenth percentile",
    "targets left alone, dB",
)


def scenes(options: argparse.Namespace, folder: Path) -> Layers:
    """The unevenly lit photos of val and test, packed into ``folder`` and read back."""
    adopt(folder, options.dataset)
    plan = BuildPlan(
        tuple(options.photos),
        folder,
        limits=Thresholds(allow_unlicensed=True),
        cache=options.landmark_cache,
    )
    photos = find_photos(plan)
    uneven = decide(plan, photos, survey_photos(plan, photos)).uneven
    recipes = (RECIPES["sunlit"], RECIPES["faceshadow"])
    layers = PackPlan(shadows=(3, 1), seed=72, recipes=recipes, uneven=True)
    sources = [*uneven["val"], *uneven["test"]]
    pack({"train": []}, folder / "a.npz", layers, plan.engine, plan.landmarker, sources)
    return load_archive(folder / "a.npz").layers


def pairs(layers: Layers) -> Pictures:
    """DRAWS pairs of every scene, uint8, but for those with hardly a shadow."""
    found = []
    for seed in range(DRAWS):
        generator = torch.Generator().manual_seed(seed)
        y, x = draw_pairs(layers, torch.arange(len(layers)), 256, (1.0, 1.0), 0.0, generator)
        found += [(to_picture(a), to_picture(b)) for a, b in zip(y, x, strict=True)]
    return [pair for pair in found if psnr(*pair) < SHADOWED]


def scored(checkpoint: str, pictures: Pictures) -> dict[str, float | str]:
    """PSNR of input and result, and of the restored target against itself."""
    learnir = LearnIR.from_pretrained(checkpoint)

    def restored(picture: np.ndarray, target: np.ndarray) -> float:
        return finite_psnr(learnir.restore(picture, seed=0).picture, target)

    values = [restored(y, x) for y, x in pictures]
    return {
        "checkpoint": checkpoint,
        "pairs": len(pictures),
        "input": float(np.mean([psnr(*pair) for pair in pictures])),
        "restored": float(np.mean(values)),
        "tenth": float(np.percentile(values, 10)),
        "kept": float(np.mean([restored(x, x) for _, x in pictures])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--weights", nargs="+", default=["learnir/weights"])
    parser.add_argument("--landmark-cache", type=Path, help="as that of the build")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        pictures = pairs(scenes(options, Path(folder)))
    rows = [scored(checkpoint, pictures) for checkpoint in options.weights]
    numbers = ("input", "restored", "tenth", "kept")
    print(
        markdown(
            [HEAD]
            + [[r["checkpoint"], r["pairs"], *(f"{r[name]:.2f}" for name in numbers)] for r in rows]
        )
    )
    if options.out:
        write_json(options.out, {"rows": rows})


if __name__ == "__main__":
    main()
