"""``python -m demo.quickstart``: shadows on a face, restored by the shipped model, scored.

The face is scikit-image's astronaut (NASA, public domain), which no training has seen.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dataset_tools.landmarks import Landmarks

SHADOWS = ("hand", "brim", "silhouette", "leaves")


@dataclass(frozen=True)
class Row:
    """One shadow: the pictures (uint8 RGB) and the scores of input and result."""

    name: str
    shadowed: np.ndarray
    restored: np.ndarray
    clean: np.ndarray
    before: tuple[float, float]
    after: tuple[float, float]


def astronaut_face() -> tuple[np.ndarray, Landmarks]:
    """The astronaut, uint8 RGB (512, 512, 3), and her face."""
    from skimage.data import astronaut

    from dataset_tools.landmarks import open_detector

    picture = astronaut()
    with open_detector() as detector:
        face = detector.detect(picture)
    if face is None:
        raise RuntimeError("no face found in the astronaut: is mediapipe 0.10.21 installed?")
    return picture, face


def shadowed_faces(size: int, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, shadowed and clean uint8 pictures of the astronaut under each of SHADOWS."""
    from dataset_tools.recipe import RECIPES
    from dataset_tools.render import render

    picture, face = astronaut_face()
    for number, name in enumerate(SHADOWS):
        recipe = dataclasses.replace(
            RECIPES["faceshadow"],
            mix={"occluder": 1.0},
            occluders=(name,),
            relit=0.0,
            close_up=0.0,
            wide_height=(0.5, 0.6),
            coverage=(0.2, 0.6),
        )
        pair = render(picture, face, (seed, number), recipe, size)
        yield name, pair.shadow, pair.clean


def restore_all(checkpoint: str | None, size: int, seed: int) -> Iterator[Row]:
    """Each shadow removed and scored as it is done."""
    from benchmarks.metrics import psnr, ssim
    from learnir import LearnIR

    model = LearnIR.from_pretrained(checkpoint)
    for name, shadowed, clean in shadowed_faces(size, seed):
        restored = model.restore(shadowed, seed=seed).picture
        before = psnr(shadowed, clean), ssim(shadowed, clean)
        after = psnr(restored, clean), ssim(restored, clean)
        yield Row(name, shadowed, restored, clean, before, after)


def table(rows: Sequence[Row]) -> str:
    """PSNR and SSIM before and after, as text."""
    lines = [f"{'shadow':<12}{'PSNR dB before':>16}{'after':>8}{'SSIM before':>14}{'after':>8}"]
    for row in rows:
        (p0, s0), (p1, s1) = row.before, row.after
        lines.append(f"{row.name:<12}{p0:>16.2f}{p1:>8.2f}{s0:>14.3f}{s1:>8.3f}")
    means = [np.mean([[*row.before, *row.after] for row in rows], axis=0)]
    for p0, s0, p1, s1 in means:
        lines.append(f"{'mean':<12}{p0:>16.2f}{p1:>8.2f}{s0:>14.3f}{s1:>8.3f}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, writes the picture, says what to do next."""
    parser = argparse.ArgumentParser(prog="python -m demo.quickstart", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/demo.png"))
    parser.add_argument("--checkpoint", default=None, help="default: the shipped weights")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    from PIL import Image

    from learnir.checkpoint import CheckpointError
    from learnir.decoding import IMAGE_SUFFIXES
    from learnir.images import grid

    if options.out.suffix.lower() not in IMAGE_SUFFIXES:
        raise SystemExit(f"quickstart: --out {options.out}: name a .png, .jpg, .webp or .tif")
    start = time.perf_counter()
    try:
        rows = list(restore_all(options.checkpoint, options.size, options.seed))
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"quickstart: {error}; in the repository run: pip install -e '.[data]'"
        ) from None
    except CheckpointError as error:
        raise SystemExit(f"quickstart: {error}") from None
    print(table(rows))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    labels = ["shadowed", "restored", "target"]
    Image.fromarray(grid([[r.shadowed, r.restored, r.clean] for r in rows], labels)).save(
        options.out
    )
    print(f"\n{options.out}: shadowed | restored | target ({time.perf_counter() - start:.0f} s)")
    print("your own picture:  .venv/bin/learnir restore photo.jpg -o restored/")
    print("the app:           make app")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
