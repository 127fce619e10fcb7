"""Bars and frames around a photograph: letterboxes, screenshots of a telephone, scanned prints.

What has one colour from side to side lies in no shadow. It makes the photograph smaller that the
network sees, and is smudged where dark hair meets a black bar.
"""

from __future__ import annotations

import cv2
import numpy as np

TOLERANCE = 4 / 255  # of the full range: what compression makes of one colour
SPOTS = 0.01  # of a line may differ: ringing, a speck of dust
LEAST = 0.05  # of a side: less costs nothing, and may be a clear sky
BETWEEN = 0.01  # of a side, at least: stretches of border between lines of text
TEXT = 0.06  # of a side, at most: a line of text or a row of icons between stretches of border
SMALLEST = 64  # pixels, of the sides of what is left


Region = tuple[slice, slice]
"""Part of a picture: its rows and columns."""


def whole_of(picture: np.ndarray) -> Region:
    """All of a picture (H, W, ...)."""
    return slice(0, picture.shape[0]), slice(0, picture.shape[1])


def union(one: Region, other: Region) -> Region:
    """The smallest region that holds both."""
    rows, columns = (
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return rows, columns


def photograph_in(picture: np.ndarray) -> Region:
    """The region of the photograph within uint8 or uint16 RGB (H, W, 3).

    A border begins at the picture's edge and ends where lines no longer have its colour; a line of
    text in it, behind which it goes on, belongs to it. All of the picture where there is no border,
    or where too little would be left.
    """
    rows, columns = whole_of(picture)
    for _ in range(2):  # what lies beside the photograph hides what lies above it
        rows = _within(picture[rows, columns], 0, rows)
        columns = _within(picture[rows, columns], 1, columns)
    small = min(rows.stop - rows.start, columns.stop - columns.start) < SMALLEST
    return whole_of(picture) if small else (rows, columns)


def one_colour(picture: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) shows nothing, as frames before and after a film."""
    few = picture[::8, ::8].reshape(-1, 3).astype(np.float32)
    return bool((np.ptp(few, axis=0) <= 2 * TOLERANCE * np.iinfo(picture.dtype).max).all())


def _within(picture: np.ndarray, axis: int, whole: slice) -> slice:
    """``whole``, where the picture's lines along ``axis`` lie, less the border at either end."""
    first, last = (_thickness(picture, axis, end) for end in (0, -1))
    if first + last >= picture.shape[axis]:  # one colour all over
        return whole
    return slice(whole.start + first, whole.stop - last)


def _thickness(picture: np.ndarray, axis: int, end: int) -> int:
    """How many lines from the first (``end`` 0) or the last (-1) on are border."""
    line = picture.take([end], axis)
    colour = np.median(line, axis=(0, 1))
    if not _plain(line, colour, axis)[0]:  # as good as always: no need to look at the others
        return 0
    plain = _plain(picture, colour, axis)[:: -1 if end else 1]
    changes = np.flatnonzero(np.diff(plain, prepend=False, append=False))
    border, N = 0, len(plain)
    for start, stop in changes.reshape(-1, 2):  # of every plain stretch
        least = BETWEEN if border else LEAST
        if stop - start < least * N or start - border > TEXT * N:
            break
        border = int(stop)
    return border


def _plain(picture: np.ndarray, colour: np.ndarray, axis: int) -> np.ndarray:
    """Which lines along ``axis`` have ``colour`` (3,) but for a few spots; bool (N,)."""
    full = np.iinfo(picture.dtype).max
    low, high = (np.clip(colour + side * TOLERANCE * full, 0, full) for side in (-1, 1))
    alike = cv2.inRange(np.ascontiguousarray(picture), low, high)
    return cv2.reduce(alike, 1 - axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() >= 255 * (
        1 - SPOTS
    )
