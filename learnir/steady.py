"""A gain that is carried from frame to frame along the motion of the picture.

Where two frames do not show the same thing (a cut, something uncovered, the border of a moving
shadow) the frame's own gain counts alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

KEPT = 0.8  # share of the gain that is carried over where two frames agree
SAME = 0.25  # stops between two frames' luminance at which they agree by e^-1
THINNEST = 12  # pixels; OpenCV's flow refuses narrower pictures


@dataclass
class Steady:
    """The gain of successive frames, joined along their motion.

    Attributes:
        kept: share carried over where the frames agree; 0 leaves every gain as it is.
        motion: pixels (h, w, 2), x before y: where every point was in the frame before; None before
            the second frame, and where the size changes.
        agreement: mean over the frame of how far the two agree, 1 where they show the same.
    """

    kept: float = KEPT
    motion: np.ndarray | None = None
    agreement: float = 0.0
    _flow: Any = field(
        default_factory=lambda: cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    )
    _before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def __call__(self, grey: np.ndarray, guide: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """The steadied gain (h, w, 3) of a frame.

        Args:
            grey: the frame, uint8 (h, w); guide: its log2 luminance; gain: stops (h, w, 3).
        """
        self.motion, self.agreement = None, 0.0
        if self._before is not None and self._before[0].shape == grey.shape:
            grey_before, guide_before, gain_before = self._before
            self.motion = self._motion(grey, grey_before)
            known, carried = (_carry(x, self.motion) for x in (guide_before, gain_before))
            agree = np.exp(-(((guide - known) / SAME) ** 2))[..., None]
            self.agreement = float(agree.mean())
            gain = gain + self.kept * agree * (carried - gain)
        self._before = grey, guide, gain
        return gain

    def _motion(self, grey: np.ndarray, before: np.ndarray) -> np.ndarray:
        """(h, w, 2); thin strips count as still."""
        if min(grey.shape) < THINNEST:
            return np.zeros((*grey.shape, 2), np.float32)
        return self._flow.calc(grey, before, None)


def _carry(x: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """``x`` of the frame before, seen where it is now: x(p + flow(p))."""
    h, w = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    place = columns + flow[..., 0], rows + flow[..., 1]
    return cv2.remap(x, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
