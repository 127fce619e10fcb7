"""How the light that a shadow takes differs over a face: photographed pairs beside rendered ones.

    python scripts/face_gain.py CHECKPOINT UCB FACESHADOW layers.npz [...] [-o rows.json]

The true gain log(target / input) at the 468 landmarks that lie in shadow, each read where the
landmark is in its own picture, so that pairs need not lie on each other; the input's are found on
the restored picture. Means over pairs: of its median (depth), of its deviation over the face, of
the share of the variance that order-2 harmonics of the normals explain, and those together with
what of an even sky reaches each point, and of the slope on that one's logarithm; of the restored
gain's deviation, its correlation with the true one and the deviation of its error. Of archives
pairs are drawn as a training draws them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from edge_colour import pictures
from error_profile import FLOOR
from fill_page import markdown

from dataset_tools.clean_target import spherical_harmonics
from dataset_tools.geometry import MESH_POINTS, surface
from dataset_tools.landmarks import Detector, open_detector
from dataset_tools.light import Light
from dataset_tools.sky import Surroundings, reaching
from learnir import LearnIR
from learnir.images import decode_linear
from learnir.writing import write_json

DEEP = 0.6  # log units, of the deepest tenth: a shadow worth measuring
FEW = 150  # landmarks in shadow that say nothing yet
FINE, WIDE = 2.5, 4.0  # pixels, blur of the light that is read and of where the shadow is
EVEN = Surroundings(np.zeros(3, np.float32), hidden=0.0)
HEAD = ("pairs", "number", "depth", "deviation", "by normals", "and the sky", "slope")
HEAD += ("restored", "correlation", "error")


def at(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A map (H, W) or (H, W, C) read at points (N, 2)."""
    x, y = np.float32(points.T)
    edge = cv2.BORDER_REPLICATE  # of a landmark outside of the frame
    return cv2.remap(np.float32(values), x[None], y[None], cv2.INTER_LINEAR, borderMode=edge)[0]


def light_at(picture: np.ndarray, points: np.ndarray, sigma: float) -> np.ndarray:
    """Log of the mean linear light around each point (N, 2); (N,)."""
    blurred = cv2.GaussianBlur(decode_linear(picture).mean(-1), (0, 0), sigma)
    return np.log(at(blurred, points) + FLOOR)


def explained(values: np.ndarray, features: np.ndarray) -> float:
    """Share of the variance of (N,) that a linear fit by (N, K), one of them constant, explains."""
    fit = features @ np.linalg.lstsq(features, values, rcond=None)[0]
    return 1 - float(((values - fit) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def measured(
    detector: Detector, y: np.ndarray, x: np.ndarray, restored: np.ndarray
) -> list[float] | None:
    """What HEAD names of one pair; None where little of a face lies in shadow."""
    seen, again = detector.detect(x), detector.detect(restored)
    if seen is None or again is None:
        return None
    there, here = seen.points[:MESH_POINTS], again.points[:MESH_POINTS]
    wide = light_at(restored, here[:, :2], WIDE) - light_at(y, here[:, :2], WIDE)
    deepest = np.percentile(wide, 90)
    inside = wide > deepest / 2
    if deepest < DEEP or inside.sum() < FEW:
        return None
    dark = light_at(y, here[:, :2], FINE)[inside]
    true = light_at(x, there[:, :2], FINE)[inside] - dark
    found = light_at(restored, here[:, :2], FINE)[inside] - dark
    scene = surface(seen.points, (x.shape[0], x.shape[1]))
    normals = spherical_harmonics(at(scene.normals, there[:, :2])[inside])
    sky = at(reaching(scene, Light(-90, 45, 1.0), EVEN), there[:, :2])[inside]
    return [
        float(np.median(true)),
        float(true.std()),
        explained(true, normals),
        explained(true, np.column_stack([normals, np.log(sky)])),
        float(np.polyfit(np.log(sky), true, 1)[0]),
        float(found.std()),
        float(np.corrcoef(true, found)[0, 1]),
        float((found - true).std()),
    ]


def rows(options: argparse.Namespace) -> Iterator[list[object]]:
    """A row of HEAD for each place."""
    learnir = LearnIR.from_pretrained(options.checkpoint, device="cpu")
    with open_detector() as detector:
        for place in options.places:
            every = (
                measured(detector, y, x, learnir.restore(y, seed=0, faces=False).picture)
                for y, x in pictures(place, options.split, options.limit)
            )
            found = np.array([one for one in every if one is not None])
            yield [place.name, len(found), *(f"{mean:.2f}" for mean in found.mean(0))]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=100, help="pairs of each place, about")
    parser.add_argument("-o", "--out", type=Path, help="write the rows as JSON as well")
    options = parser.parse_args()
    table = list(rows(options))
    print(markdown([HEAD, *table]))
    if options.out:
        write_json(options.out, {"rows": [dict(zip(HEAD, row, strict=True)) for row in table]})


if __name__ == "__main__":
    main()
