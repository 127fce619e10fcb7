"""How much a restored video flickers, and how well small faces in one are restored.

    python scripts/bench_video.py [-o docs/results/video.json]

The view moves by whole pixels, over one shadowed portrait and over a picture with four small ones,
so the moved frame before is exactly what a steady restoration would give again: flicker is the mean
absolute difference to it, in 8-bit levels; the input's is zero. PSNR and flicker of the small faces
are those of their squares.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from group_scores import scene
from result_files import write_result
from tqdm import tqdm

from benchmarks.metrics import psnr
from demo.quickstart import shadowed_faces
from learnir.frames import FrameRestorer
from learnir.pipeline import LearnIR
from learnir.steady import KEPT

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / "video.json"
PORTRAIT, SMALL = 512, 256  # pixels: the portrait, the small ones before they are reduced

Frames = list[np.ndarray]
Area = tuple[slice, slice]
Treatment = Callable[[LearnIR, Frames], Iterable[np.ndarray]]


@dataclass(frozen=True)
class Clip:
    """A pan: frames, what they should become, and the squares that count, each in every frame."""

    shadowed: Frames
    clean: Frames
    step: int
    areas: list[list[Area]]

    def psnr(self, frames: Frames) -> float:
        """Mean PSNR in dB."""
        found = [
            psnr(a[area], b[area])
            for a, b, areas in zip(frames, self.clean, self.areas, strict=True)
            for area in areas
        ]
        return float(np.mean(found))

    def flicker(self, frames: Frames) -> float:
        """Mean |frame - moved frame before| where both see the same, in 8-bit levels."""
        found = []
        for k in range(1, len(frames)):
            apart = np.abs(
                frames[k][:, : -self.step].astype(np.float32) - frames[k - 1][:, self.step :]
            )
            found += [apart[area].mean() for area in self.areas[k]]
        return float(np.mean(found))


def pan(
    shadowed: np.ndarray, clean: np.ndarray, height: int, width: int, step: int, frames: int
) -> tuple[Frames, Frames]:
    """Views (height, width) that move to the right, each ``step`` pixels further."""
    top = (shadowed.shape[0] - height) // 3
    rows = slice(top, top + height)
    columns = [slice(step * k, step * k + width) for k in range(frames)]
    shadowed_views, clean_views = (
        [np.ascontiguousarray(p[rows, seen]) for seen in columns] for p in (shadowed, clean)
    )
    return shadowed_views, clean_views


def portrait(frames: int) -> Clip:
    """A view of 320 px over one portrait."""
    _, *pair = next(shadowed_faces(PORTRAIT, 0))
    everything = slice(None), slice(None)
    return Clip(*pan(*pair, 320, 320, 3, frames), 3, [[everything]] * frames)


def group(frames: int) -> Clip:
    """A view of 960 x 960 over the four portraits, as ``group_scores`` puts them together."""
    from skimage.data import coffee

    pairs = [(shadowed, clean) for _, shadowed, clean in shadowed_faces(SMALL, 0)]
    shadowed, clean, places = scene(coffee(), pairs, np.random.default_rng(0))
    step, width = 4, 960
    areas = [
        [
            (rows, slice(columns.start - step * k, columns.stop - step * k))
            for rows, columns in places
            if step * k <= columns.start and columns.stop - step * k <= width - step
        ]
        for k in range(frames)
    ]
    return Clip(*pan(shadowed, clean, len(shadowed), width, step, frames), step, areas)


def followed(kept: float = KEPT, **options: Any) -> Treatment:
    """The frames restored as ``restore_video`` does."""

    def restored(learnir: LearnIR, frames: Frames) -> Iterable[np.ndarray]:
        return map(FrameRestorer(learnir, options, kept), frames)

    return restored


def fresh(learnir: LearnIR, frames: Frames) -> Iterable[np.ndarray]:
    """Every frame under noise of its own."""
    for seed, frame in enumerate(frames):
        yield FrameRestorer(learnir, {"seed": seed}, 0.0)(frame)


def alone(learnir: LearnIR, frames: Frames) -> Iterable[np.ndarray]:
    """Every frame as a picture by itself, close-ups included."""
    return (learnir.restore(frame).picture for frame in frames)


CLIPS: dict[str, tuple[Callable[[int], Clip], dict[str, Treatment]]] = {
    "portrait": (
        portrait,
        {"fresh noise": fresh, "shared noise": followed(0.0), "steadied": followed()},
    ),
    "four small faces": (
        group,
        {
            "without close-ups": followed(faces=False),
            "close-ups of every frame": alone,
            "followed": followed(),
        },
    ),
}


def rows(
    learnir: LearnIR, clip: Clip, treatments: dict[str, Treatment]
) -> dict[str, dict[str, float]]:
    """Flicker, PSNR and seconds a frame of each treatment."""
    found: dict[str, dict[str, float]] = {}
    for name, treat in {"input": None, **treatments}.items():
        made, start = treat(learnir, clip.shadowed) if treat else clip.shadowed, time.perf_counter()
        bar = tqdm(made, desc=name, unit="frame", total=len(clip.shadowed), leave=False)
        frames = list(bar)
        seconds = (time.perf_counter() - start) / len(frames)
        scores = {"flicker": clip.flicker(frames), "psnr": clip.psnr(frames)}
        found[name] = {**scores, "seconds": seconds}
        print(name, found[name])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("-o", "--out", type=Path, default=RESULT)
    options = parser.parse_args()
    learnir = LearnIR.from_pretrained(device="cpu")
    clips = {
        name: rows(learnir, make(options.frames), treatments)
        for name, (make, treatments) in CLIPS.items()
    }
    write_result(options.out, {"frames": options.frames, "clips": clips})


if __name__ == "__main__":
    main()
