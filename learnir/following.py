"""Faces followed from frame to frame, so that close-ups of a video do not come and go.

Looking for faces takes up to as long as restoring a frame, so it is done every few frames; between,
the squares move as the picture under them does. A face that appears fades in, one that is lost
stays for a while and fades out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from learnir.close_ups import Square
from learnir.steady import KEPT, Steady

EVERY = 5  # frames between two searches
CORRECTED = 0.5  # share of a search's difference that a square goes: boxes jitter by some percent
NEAR = 0.35  # of a square's side: a face found so near to where it was expected is the same
ALIKE = 1.6  # ratio of sides up to which it is the same
PATIENCE = 2  # searches that may miss a face before it fades
FADING = 10  # frames in which a close-up comes and goes: a third of a second

Search = Callable[[np.ndarray], Sequence[Square]]


@dataclass
class Followed:
    """A face that is followed.

    Attributes:
        row, column, side: middle and size of its square, in pixels;
        presence: share of its close-up that counts, from 0 to 1;
        steady: what its close-up's gain was in the frame before;
        missed: searches in a row that have not found it.
    """

    row: float
    column: float
    side: float
    presence: float
    steady: Steady
    missed: int = 0

    @property
    def fading(self) -> float:
        """Change of the presence in a frame: in while it is found, out when it is lost for good.

        What a single search takes for a face never comes to count in full.
        """
        if self.missed == 0:
            return 1 / FADING
        return 0.0 if self.missed <= PATIENCE else -1 / FADING

    def square(self, height: int, width: int) -> Square:
        """The face's square, moved into a picture (height, width) where it leaves that."""
        side = min(round(self.side), height, width)
        return Square.around(self.row, self.column, side, height, width)

    def is_at(self, row: float, column: float, side: float) -> bool:
        """Whether a square found there shows this face."""
        alike = 1 / ALIKE < side / self.side < ALIKE
        return alike and self.away(row, column) < NEAR * self.side

    def away(self, row: float, column: float) -> float:
        """Pixels between the middles."""
        return float(np.hypot(row - self.row, column - self.column))

    def correct(self, row: float, column: float, side: float) -> None:
        """Moves the square half way to where a search has found the face."""
        self.row += CORRECTED * (row - self.row)
        self.column += CORRECTED * (column - self.column)
        self.side += CORRECTED * (side - self.side)
        self.missed = 0

    def move(self, motion: np.ndarray, height: int, width: int) -> None:
        """Moves the square with the picture under it.

        Args:
            motion: pixels (h, w, 2), x before y: where every point of the reduced frame was in the
                frame before.
        """
        row, column = self.row, self.column
        for _ in range(2):  # what stands at the new place now is what has moved there
            x, y = _median_under(motion, row, column, self.side, height, width)
            row, column = self.row - y, self.column - x
        self.row, self.column = row, column


def _median_under(
    motion: np.ndarray, row: float, column: float, side: float, height: int, width: int
) -> np.ndarray:
    """Median motion (x, y), in pixels of the frame, under the inner half of a square.

    The outer half shows surroundings, which may move otherwise.
    """
    h, w = motion.shape[:2]
    scale = np.array([width / w, height / h])
    x, y = np.array([column, row]) / scale
    half_x, half_y = side / 4 / scale
    rows, columns = (
        slice(max(round(at - half), 0), max(round(at + half) + 1, 1))
        for at, half in ((min(y, h - 1), half_y), (min(x, w - 1), half_x))
    )
    return np.median(motion[rows, columns].reshape(-1, 2), axis=0) * scale


class Follower:
    """Follows the faces of a video that get close-ups.

    Args:
        search: the squares to look at in one frame, which need not be those of the frame before.
        kept: see ``Steady``.
    """

    def __init__(self, search: Search, kept: float = KEPT) -> None:
        self.search, self.kept = search, kept
        self.faces: list[Followed] = []
        self.frames = 0

    def __call__(self, frame: np.ndarray, motion: np.ndarray | None) -> list[Followed]:
        """The faces in ``frame`` (H, W, 3).

        Args:
            motion: as of ``Followed.move``; None where the frame does not follow from the one
                before. Then all begins again, and what is found is there at once.
        """
        height, width = frame.shape[:2]
        if motion is None:
            self.faces, self.frames = [], 0
        else:
            for face in self.faces:
                face.move(motion, height, width)
        if self.frames % EVERY == 0:
            self._look(frame, presence=1.0 if self.frames == 0 else 0.0)
        self.frames += 1
        for face in self.faces:
            face.presence = float(np.clip(face.presence + face.fading, 0, 1))
        self.faces = [face for face in self.faces if face.presence > 0]
        return self.faces

    def _look(self, frame: np.ndarray, presence: float) -> None:
        known = list(self.faces)
        for face in known:
            face.missed += 1
        for square in self.search(frame):
            row, column = square.top + square.side / 2, square.left + square.side / 2
            same = [face for face in known if face.is_at(row, column, square.side)]
            if same:
                nearest = min(same, key=lambda face: face.away(row, column))
                known.remove(nearest)
                nearest.correct(row, column, square.side)
            else:
                steady = Steady(self.kept)
                self.faces.append(Followed(row, column, float(square.side), presence, steady))
