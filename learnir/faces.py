"""Faces found in a picture, and the way up that they show.

Faces are found by MediaPipe's BlazeFace; where that does not load none are, and a warning says so
once. A picture in which a face lies on its side or stands on its head is restored the other way up.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import cv2
import numpy as np

from learnir.console import one_line
from learnir.quiet import native_log_silenced

SEEN = 1.6e6  # pixels that faces are looked for in: 1460 x 1096, or a panorama of 2830 x 566
FAR_SEES = 192  # pixels, side of what the finder of far faces is shown
CERTAIN = 0.7  # score; most faces have more, most of what is none (a collar, leaves) less
UPRIGHT = 0.9  # score from which a face stands upright for certain; 19 of 20 that do have 0.86
PLAINLY = 0.05  # by how much more certain a face must be in a turned picture
WAY_SEEN = 480  # pixels, longest side of what is looked at for the way up

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""
Scored = tuple[float, Box]
"""The finder's score in [0, 1], and where."""
Finder = Callable[[np.ndarray], Any]


def way_up(picture: np.ndarray) -> int:
    """Quarter turns, as of ``np.rot90``, that put a uint8 or uint16 RGB picture (H, W, 3) upright.

    The finders also see faces that lie, but are more certain of those that stand. 0 where that does
    not decide, and without MediaPipe (see ``unavailable``).
    """
    with _LOCK:
        finders = _finders()
    if finders is None:
        return 0
    seen = _high_bytes(_at_most(picture, WAY_SEEN / max(picture.shape[:2])))
    near, _ = finders
    if _certainty([near], seen) >= UPRIGHT:
        return 0
    as_it_is, *turned = (_certainty(finders, np.rot90(seen, k)) for k in range(4))
    best = max(turned)
    return 1 + turned.index(best) if best >= max(CERTAIN, as_it_is + PLAINLY) else 0


def _certainty(finders: Sequence[Finder], picture: np.ndarray) -> float:
    """The best score of a face; 0 without one."""
    looks = (_detections(finder, picture) for finder in finders)
    return max((face.score[0] for found in looks for face in found), default=0.0)


def _detections(finder: Finder, picture: np.ndarray) -> Sequence[Any]:
    with _LOCK:
        return finder(np.ascontiguousarray(picture)).detections or ()


def find_faces(picture: np.ndarray) -> list[Box]:
    """Boxes of the faces in a uint8 or uint16 RGB picture (H, W, 3), each once.

    Empty without MediaPipe (see ``unavailable``). Near faces are sought, then far ones, then far
    ones in overlapping crops, since small faces are lost in the 128 or 192 pixels that a detector
    sees. Of boxes that overlap, the one with the higher score is kept.
    """
    with _LOCK:
        finders = _finders()
    if finders is None:
        return []
    H, W = picture.shape[:2]
    shrink = min((SEEN / (H * W)) ** 0.5, 1.0)
    seen = _high_bytes(_at_most(picture, shrink))
    H, W = seen.shape[:2]
    near, far = finders
    everything = slice(0, H), slice(0, W)
    looks = [(near, everything), *((far, area) for area in (everything, *_parts(H, W)))]
    found = [face for finder, area in looks for face in _boxes(finder, seen[area], area)]
    kept: list[Box] = []
    for _, box in sorted(found, reverse=True):
        if not any(_share(box, other) for other in kept):
            kept.append(box)
    return [(x / shrink, y / shrink, w / shrink, h / shrink) for x, y, w, h in kept]


def _at_most(picture: np.ndarray, share: float) -> np.ndarray:
    """The picture with its sides times ``share``; itself where that is 1 or more."""
    if share >= 1:
        return picture
    size = [max(round(side * share), 1) for side in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _high_bytes(picture: np.ndarray) -> np.ndarray:
    """The picture as uint8, lower bits cut: good enough to find faces in."""
    return picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)


def _share(a: Box, b: Box) -> bool:
    """Whether the middle of one box lies in the other: a face twice, or the half or whole of it."""
    return _holds(a, b) or _holds(b, a)


def _holds(a: Box, b: Box) -> bool:
    return all(a[i] < b[i] + b[i + 2] / 2 < a[i] + a[i + 2] for i in (0, 1))


def _boxes(finder: Finder, part: np.ndarray, area: tuple[slice, slice]) -> Iterator[Scored]:
    h, w = part.shape[:2]
    for face in _detections(finder, part):
        if face.score[0] < CERTAIN:  # MediaPipe keeps to limits of its own, 0.5 and 0.6
            continue
        b = face.location_data.relative_bounding_box
        left, top = b.xmin * w + area[1].start, b.ymin * h + area[0].start
        yield face.score[0], (left, top, b.width * w, b.height * h)


def _parts(H: int, W: int) -> list[tuple[slice, slice]]:
    """Squares over the whole picture, each half as large as its shorter side, half overlapping.

    An empty list where a part has fewer pixels than a finder sees: it would show little more than
    the whole picture did, for ten times the time, and the parts of a narrow strip are thousands.
    """
    side = min(H, W) // 2
    if side < FAR_SEES:
        return []

    def starts(length: int) -> np.ndarray:
        return np.linspace(0, length - side, -(-2 * length // side) - 1).round().astype(int)

    return [
        (slice(top, top + side), slice(left, left + side))
        for top in starts(H)
        for left in starts(W)
    ]


_LOCK = Lock()  # the finders keep state


def unavailable() -> str:
    """Why no faces are found here, in one line with the remedy; "" where MediaPipe loads."""
    with _LOCK:
        return _loaded()[1]


@lru_cache(maxsize=1)
def _finders() -> tuple[Finder, Finder] | None:
    """The finders; None, with a warning at the first call, where MediaPipe does not load."""
    finders, problem = _loaded()
    if problem:
        warnings.warn(f"{problem}, or faces=False", stacklevel=2)
    return finders


@lru_cache(maxsize=1)
def _loaded() -> tuple[tuple[Finder, Finder] | None, str]:
    """Short- and full-range BlazeFace, whose models MediaPipe's wheel carries; else why not."""
    try:
        with native_log_silenced():
            from mediapipe.python.solutions.face_detection import FaceDetection

            made = [FaceDetection(CERTAIN, model_selection=n) for n in (0, 1)]
            for finder in made:
                finder.process(np.zeros((64, 64, 3), np.uint8))  # the models load at first use
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        why = one_line(error)[:100]
        return None, (
            f"faces are not looked at closely, as MediaPipe does not load ({why}): "
            "in the repository run pip install -e '.[faces]'"
        )
    return (made[0].process, made[1].process), ""
