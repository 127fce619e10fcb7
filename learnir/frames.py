"""The frames of a video, restored one after another so that the result does not flicker.

The noise of the sampler is the same for every frame, its gain is steadied along the motion, and
faces that do not fill the picture are followed and looked at closely. What is a border in every
frame so far stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from learnir.borders import Region, one_colour, photograph_in, union, whole_of
from learnir.close_ups import Square, close_ups
from learnir.faces import find_faces
from learnir.following import Follower
from learnir.gain import GainMap, apply_gain, log_gain, log_luminance, slope
from learnir.images import decode_linear, resized, shrunk
from learnir.modes import TOGETHER, fade_in
from learnir.pipeline import LearnIR
from learnir.restoration import Restoration
from learnir.steady import KEPT, Steady

NOT_SAMPLING = ("mode", "work_size", "strength", "faces", "borders")  # do not come to the sampler
CUT = 0.25  # agreement of two frames under which they are of different shots


class FrameRestorer:
    """Restores the frames of one video in their order.

    Args:
        learnir: the model.
        options: keyword arguments of ``LearnIR.restore``; ``mode`` plays no part here.
        kept: see ``Steady``.
    """

    def __init__(self, learnir: LearnIR, options: Mapping[str, Any], kept: float = KEPT) -> None:
        if isinstance(options.get("strength"), np.ndarray):
            raise ValueError("a video has one strength, not a map; give a number")
        own = {k: v for k, v in options.items() if k not in NOT_SAMPLING}
        self._restore_all: Callable[[np.ndarray], np.ndarray] = partial(learnir.restore_all, **own)
        self._work_size = options.get("work_size") or learnir.config.work_size
        own |= {"work_size": self._work_size, "faces": False, "borders": False}
        self._restore: Callable[..., Restoration] = partial(learnir.restore, **own)
        self._close = min(self._work_size, learnir.config.work_size)
        self._strength = options.get("strength", 1.0)
        self._faces, self._borders = (options.get(name, True) for name in ("faces", "borders"))
        self._kept = kept
        self._shown: Region | None = None
        self._region: Region | None = None
        self._begin()

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """The restored frame, uint8 RGB (H, W, 3) like the one given."""
        region, restored = self._photograph(frame), frame.copy()
        restored[region] = self._restored(np.ascontiguousarray(frame[region]))
        return restored

    def _begin(self) -> None:
        self._whole = Steady(self._kept)
        self._follower = Follower(_squares, self._kept) if self._faces else None

    def _photograph(self, frame: np.ndarray) -> Region:
        """The region that is not border in all frames so far; when it grows, tracking
        starts over."""
        if self._borders and not one_colour(frame):
            region = photograph_in(frame)
            self._shown = union(self._shown or region, region)
        region = self._shown or whole_of(frame)
        if region != self._region:
            self._region = region
            self._begin()
        return region

    def _restored(self, frame: np.ndarray) -> np.ndarray:
        small = shrunk(frame, self._work_size)
        seen = self._restore(_sixteen_bits(small)).picture
        restored = self._relit(frame, small, self._whole, seen)
        if self._follower is None:
            return restored
        motion = self._whole.motion if self._whole.agreement >= CUT else None
        faces = list(self._follower(frame, motion))
        squares = [face.square(*frame.shape[:2]) for face in faces]
        parts = [np.ascontiguousarray(frame[square.area]) for square in squares]
        smalls = [resized(part, self._close) for part in parts]
        for face, square, part, small, seen in zip(
            faces, squares, parts, smalls, self._restored_together(smalls), strict=True
        ):
            close = self._relit(part, small, face.steady, seen)
            fade_in(restored, square, close, face.presence)
        return restored

    def _restored_together(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Restored close-ups; all are of one size."""
        batches = (pictures[i : i + TOGETHER] for i in range(0, len(pictures), TOGETHER))
        return [r for batch in batches for r in self._restore_all(_sixteen_bits(np.stack(batch)))]

    def _relit(
        self, picture: np.ndarray, small: np.ndarray, steady: Steady, seen: np.ndarray
    ) -> np.ndarray:
        """The picture, relit by the steadied gain of ``small``, itself at working resolution."""
        observed, restored = decode_linear(small), decode_linear(seen)
        guide, grey = log_luminance(observed), cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        gain = steady(grey, guide, log_gain(observed, restored))
        return apply_gain(picture, GainMap(gain, slope(guide, gain), guide), self._strength)


def _sixteen_bits(picture: np.ndarray) -> np.ndarray:
    """The picture as uint16: the gain of a restored one then has finer steps than 8 bits give."""
    return picture.astype(np.uint16) * 257


def _squares(frame: np.ndarray) -> Sequence[Square]:
    return close_ups(find_faces(frame), *frame.shape[:2])
