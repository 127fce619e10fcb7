"""Pairs made odd, restored: what grey, tinted, dark, lying or compressed pictures lose.

    python scripts/odd_pictures.py CHECKPOINT --faceshadow DIR --ucb DIR \\
        [-o docs/results/odd_pictures.json]

Every change is made to input and target of a pair alike, but for JPEG and noise, which only the
input gets; then the input is restored as a user's is. What lies in a shadow of these is brightened
with it: how far the pair's own gain would come is told beside. UCB's targets, changed and given as
inputs, tell what a picture without a shadow loses.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from candidate_scores import UNHARMED, Pictures
from fill_page import markdown
from PIL import Image
from result_files import write_result
from score_weights import finite_psnr, load, pairs_of, split_by_shadow
from tqdm import tqdm

from learnir import LearnIR
from learnir.gain import brighten, log_gain
from learnir.images import decode_linear, encode_linear_quickly
from learnir.side_by_side import default_workers, side_by_side

Change = Callable[[np.ndarray], np.ndarray]

SIZE = 256
SEPIA = (1.0, 0.86, 0.67)
INDOORS, SHADE, FOREST = (1.25, 0.9, 0.5), (0.7, 0.95, 1.3), (0.8, 1.1, 0.8)


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def toned(picture: np.ndarray, tone: Sequence[float]) -> np.ndarray:
    return np.rint(grey(picture) * np.array(tone)).astype(np.uint8)


def saturated(picture: np.ndarray, share: float) -> np.ndarray:
    return cv2.addWeighted(picture, share, grey(picture), 1 - share, 0)


def lit(picture: np.ndarray, *factors: float) -> np.ndarray:
    """In other light: factors on linear light, one or one for each channel."""
    light = decode_linear(picture) * np.array(factors, np.float32)
    return encode_linear_quickly(np.clip(light, 0, 1), np.uint8)


def turned(picture: np.ndarray, quarters: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(picture, quarters))


def tilted(picture: np.ndarray, degrees: float, room: float) -> np.ndarray:
    """A square of the turned picture; turned by ``room`` degrees it would hold nothing foreign."""
    H, W = picture.shape[:2]
    way = cv2.getRotationMatrix2D(((W - 1) / 2, (H - 1) / 2), degrees, 1)
    whole = cv2.warpAffine(picture, way, (W, H), flags=cv2.INTER_CUBIC)
    angle = np.deg2rad(room)
    edge = int(np.ceil(H * (1 - 1 / (np.cos(angle) + np.sin(abs(angle)))) / 2))
    return np.ascontiguousarray(whole[edge : H - edge, edge : W - edge])


def halved(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def blurred(picture: np.ndarray, deviation: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), deviation)


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=quality)
    return np.array(Image.open(data))


def noisy(picture: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Odd:
    """A change, and whether it is made to the target too."""

    name: str
    change: Change
    both: bool = True

    def pair(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.change(y), self.change(x) if self.both else x


ODD = (
    Odd("as they are", lambda picture: picture),
    Odd("black and white", grey),
    Odd("sepia", partial(toned, tone=SEPIA)),
    Odd("faded to two fifths of the colour", partial(saturated, share=0.4)),
    Odd("garish: 1.6 times the colour", partial(saturated, share=1.6)),
    Odd("under a light bulb", lambda picture: lit(picture, *INDOORS)),
    Odd("bluish", lambda picture: lit(picture, *SHADE)),
    Odd("greenish", lambda picture: lit(picture, *FOREST)),
    Odd("one stop darker", lambda picture: lit(picture, 0.5)),
    Odd("two stops darker", lambda picture: lit(picture, 0.25)),
    Odd("0.8 stops brighter", lambda picture: lit(picture, 2**0.8)),
    Odd("cut as the next", partial(tilted, degrees=0, room=20)),
    Odd("tilted by 20 degrees", partial(tilted, degrees=20, room=20)),
    Odd("on its side", partial(turned, quarters=1)),
    Odd("upside down", partial(turned, quarters=2)),
    Odd("half as large", halved),
    Odd("blurred, deviation 1.5 px", partial(blurred, deviation=1.5)),
    Odd("JPEG of quality 60", partial(compressed, quality=60), both=False),
    Odd("JPEG of quality 30", partial(compressed, quality=30), both=False),
    Odd("noise of 8 levels", partial(noisy, deviation=8), both=False),
)


def relit(observed: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``observed`` under the gain that makes ``y`` into ``x``."""
    linear = [decode_linear(picture) for picture in (observed, y, x)]
    return encode_linear_quickly(brighten(linear[0], log_gain(*linear[1:])), np.uint8)


def scored(learnir: LearnIR, odd: Odd, pictures: Pictures) -> list[list[float]]:
    """PSNR of every pair before, after and, where only the input changed, with its own gain."""

    def work(pair: tuple[np.ndarray, np.ndarray]) -> list[float]:
        y, x = odd.pair(*pair)
        results = [y, learnir.restore(y, seed=0).picture]
        if not odd.both:
            results.append(relit(y, *pair))
        return [finite_psnr(picture, x) for picture in results]

    return [result() for _, result in side_by_side(work, pictures, default_workers())]


def row(learnir: LearnIR, odd: Odd, sets: dict[str, Pictures]) -> dict[str, Any]:
    """Mean PSNR before and after of each set; of UCB's targets, how many are harmed."""
    found: dict[str, Any] = {"odd": odd.name}
    for name, pictures in sets.items():
        scores = np.array(scored(learnir, odd, pictures))
        found[name] = {"pictures": len(scores), "psnr": scores[:, :2].mean(axis=0).tolist()}
        if not odd.both:
            found[name]["own_gain"] = float(scores[:, 2].mean())
        found[name]["worse"] = int((scores[:, 1] < scores[:, 0]).sum())
    clean = [(x, x) for _, x in sets["UCB dev"]]
    if odd.both:
        after = np.array(scored(learnir, odd, clean))[:, 1]
        found["clean"] = {"pictures": len(after), "psnr": float(after.mean())}
        found["clean"]["harmed"] = int((after < UNHARMED).sum())
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a row a change."""
    names = [key for key, value in rows[0].items() if key != "clean" and isinstance(value, dict)]
    head = ["pictures", *(f"{name}, dB" for name in names), f"clean ones under {UNHARMED:.0f} dB"]
    cells = []
    for one in rows:
        harmed = f"{one['clean']['harmed']} of {one['clean']['pictures']}" if "clean" in one else ""
        cells.append([one["odd"], *(_change(one[name]) for name in names), harmed])
    return markdown([head, *cells])


def _change(scores: dict[str, Any]) -> str:
    before, after = scores["psnr"]
    best = f" (its own gain: {scores['own_gain']:.2f})" if "own_gain" in scores else ""
    return f"{before:.2f} → **{after:.2f}**{best}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--faceshadow", type=Path, required=True)
    parser.add_argument("--ucb", type=Path, required=True)
    parser.add_argument("--every", type=int, default=2, help="of FaceShadow's pairs, so many-th")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    shadowed, _ = split_by_shadow(pairs_of(options.faceshadow, "test"))
    sets = {
        "FaceShadow test": load(shadowed[:: options.every], SIZE),
        "UCB dev": load(pairs_of(options.ucb, "all"), SIZE),
    }
    learnir = LearnIR.from_pretrained(options.checkpoint)
    rows = [row(learnir, odd, sets) for odd in tqdm(ODD, unit="change")]
    print(table(rows))
    if options.out:
        write_result(options.out, {"rows": rows}, options.checkpoint)


if __name__ == "__main__":
    main()
