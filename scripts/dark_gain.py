"""What a shadow takes of dark things (hair, eyes, cloth) and of bright ones beside them.

    python scripts/dark_gain.py UCB FACESHADOW layers.npz [...] [--split test] [--limit 100]

Medians of the gain log(target / input) in linear light, per channel, then over pairs: of what is
bright in the target and clearly in shadow, and of what is dark within a dozen pixels of that. One
column a folder, or archive of layers, of which pairs are drawn as a training draws them.
"""

from __future__ import annotations

import cv2
import numpy as np
from edge_colour import pictures, places_named
from error_profile import blurred
from fill_page import markdown

from learnir.images import decode_linear

FLOOR = 0.002  # linear: below it a pixel is noise
BRIGHT, DARK = 0.15, 0.06  # mean of a target's channels, linear
DEEP, SHADED = 0.7, 0.3  # log gain of bright things, and of dark ones that count
NEAR = np.ones((25, 25))  # pixels around a bright thing
FEW = {"bright": 300, "dark": 150}  # pixels that say nothing


def gains(y: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray] | None:
    """Median log gain (3,) of bright and of dark things; None where there are too few of them."""
    dark, light = (blurred(decode_linear(picture), 1.5) for picture in (y, x))
    gain, level = np.log((light + FLOOR) / (dark + FLOOR)), light.mean(-1)
    where = {"bright": (level > BRIGHT) & (gain.mean(-1) > DEEP)}
    beside = cv2.dilate(where["bright"].astype(np.uint8), NEAR) > 0
    where["dark"] = (level < DARK) & (gain.mean(-1) > SHADED) & beside
    if any(there.sum() < FEW[name] for name, there in where.items()):
        return None
    return {name: np.median(gain[there], axis=0) for name, there in where.items()}


def main() -> None:
    options = places_named(__doc__)
    columns = [["gain in shadow: red, green, blue", "pairs", "bright things", "dark ones beside"]]
    for place in options.places:
        rows = [gains(y, x) for y, x in pictures(place, options.split, options.limit)]
        found = [row for row in rows if row is not None]
        middle = {k: np.median([row[k] for row in found], axis=0) for k in ("bright", "dark")}
        cells = [", ".join(f"{g:.2f}" for g in middle[kind]) for kind in ("bright", "dark")]
        columns.append([place.name, str(len(found)), *cells])
    print(markdown(list(zip(*columns, strict=True))))


if __name__ == "__main__":
    main()
