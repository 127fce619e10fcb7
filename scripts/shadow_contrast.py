"""What a shadow does to the contrast of skin: real pairs beside synthetic ones.

    python scripts/shadow_contrast.py UCB FACESHADOW layers.npz [...] [--split test] [--limit 100]

Relief is the logarithm of linear light over its own blur of 6 pixels, on skin in the middle of the
pictures and well inside a shadow. One column a folder, or archive of layers, of which pairs are
drawn as a training draws them: medians over pairs of the relief's deviation, its first percentile
(wrinkles, stubble, nostrils) and its 99.8th (highlights), in the shadow -> in the target, and of
the slope of the gain log(target / input) on the target's log light: below zero, the dark loses
more. Photographs that do not lie on each other have reliefs as they are, unlike differences.
"""

from __future__ import annotations

import cv2
import numpy as np
from edge_colour import DEEP, gain, pictures, places_named, skin_of
from error_profile import FACE, FLOOR, blurred
from fill_page import markdown

from learnir.images import decode_linear

FEW = 300  # pixels that say nothing


def inside(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """bool (H, W): skin of the face well inside of its deepest shadow; nothing if there is none."""
    depth = blurred(gain(y, x).mean(-1), 2)
    face = np.zeros(depth.shape, bool)
    face[FACE] = skin_of(x)[FACE]
    deepest = np.quantile(depth[face], 0.95) if face.any() else 0.0
    deep = face & (depth > 0.7 * deepest) & (deepest > DEEP)
    return cv2.erode(deep.astype(np.uint8), np.ones((7, 7))) > 0


def relief(picture: np.ndarray) -> np.ndarray:
    """Log of linear light over its own surroundings; (H, W)."""
    light = blurred(decode_linear(picture).mean(-1), 1.2) + FLOOR
    return np.log(light / blurred(light, 6))


def contrast(y: np.ndarray, x: np.ndarray) -> list[float] | None:
    """Deviation, 1 % and 99.8 % of y's and x's relief in the shadow, and the gain's slope."""
    where = inside(y, x)
    if where.sum() < FEW:
        return None
    shadow, lit = relief(y)[where], relief(x)[where]
    light = np.log(blurred(decode_linear(x).mean(-1), 2) + FLOOR)[where]
    slope = np.polyfit(light, blurred(gain(y, x).mean(-1), 2)[where], 1)[0]
    percentiles = [np.quantile(part, q) for q in (0.01, 0.998) for part in (shadow, lit)]
    return [shadow.std(), lit.std(), *percentiles, slope]


def main() -> None:
    options = places_named(__doc__)
    columns = [["on skin in shadow", "pairs", "deviation", "1 %", "99.8 %", "slope of the gain"]]
    for place in options.places:
        rows = [contrast(y, x) for y, x in pictures(place, options.split, options.limit)]
        found = [row for row in rows if row is not None]
        middle = np.median(found, axis=0)
        cells = [f"{middle[i]:+.2f} -> {middle[i + 1]:+.2f}" for i in (0, 2, 4)]
        columns.append([place.name, str(len(found)), *cells, f"{middle[6]:+.2f}"])
    print(markdown(list(zip(*columns, strict=True))))


if __name__ == "__main__":
    main()
