"""Close-ups: the squares around faces that the network is shown besides the whole picture.

The network was trained on portraits. In a picture of a whole room a face shrinks, at working
resolution, to a size it has hardly seen; so it is shown the square around each such face as well.
Even a face that is as high as a wide picture is seen larger that way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learnir.faces import Box

FILL = 0.45  # height of the found box (brow to chin) in a close-up, as in the training pairs
SMALL = 0.95  # a close-up this large, of the longer side, shows what the whole picture shows
FULL = 0.6  # of a square that ends inside the picture: a higher face would leave it no hair or neck
LEAST = 48  # pixels, side of a close-up below which there is nothing to see
MOST = 32  # faces a picture, the largest
BORDER = 0.12  # share of a close-up's side over which it fades into the rest, at most
ABOVE = 0.08  # hair: the square lies this share of the box's height above its middle


@dataclass(frozen=True)
class Square:
    """A square part of a picture, ``side`` pixels wide and high, from (top, left) on."""

    top: int
    left: int
    side: int

    @classmethod
    def around(cls, row: float, column: float, side: int, height: int, width: int) -> Square:
        """The square centred on (row, column), or as near to that as a picture (height,
        width) allows."""
        top, left = (
            round(float(np.clip(middle - side / 2, 0, whole - side)))
            for middle, whole in ((row, height), (column, width))
        )
        return cls(top, left, side)

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns of the square, to index a picture with."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def weight(self, height: int, width: int) -> np.ndarray:
        """The share of the square's own restoration at every pixel, float32 (side, side, 1).

        It falls to 0 along the square's border, but not where that is the border of the picture
        (height, width): there it falls over no more pixels than lie between the two, so that a
        square which moves there does not jump. Inside it is 1 where the network sees the face at
        least 1.5 times as large as in the whole picture, down to a half where it sees both
        alike: the mean of two restorations errs less.
        """
        share = min(max(height, width) / self.side - 0.5, 1.0)
        rows, columns = (
            np.minimum(self._rise(start), self._rise(whole - start - self.side)[::-1])
            for start, whole in ((self.top, height), (self.left, width))
        )
        return np.float32(share) * (rows[:, None] * columns)[..., None]

    def _rise(self, outside: int) -> np.ndarray:
        """float32 (side,): from 0 to 1; ``outside``: pixels of the picture before the square."""
        over = min(BORDER * self.side, outside)
        way = np.arange(self.side) / over if over > 0 else np.ones(self.side)
        return np.minimum(way, 1).astype(np.float32)


def close_ups(boxes: Sequence[Box], height: int, width: int) -> list[Square]:
    """Squares inside a picture (height, width) around the faces that do not fill it.

    A face too large for that gets a square of the shorter side: as the whole picture is reduced by
    its longer side, the square of a wide picture still shows more. In a tall picture that the face
    fills, it would cut the head off, so there is none. Largest faces first; a face in the middle of
    an earlier square gets none either, unless that has twice the size: there it would be small.
    """
    squares: list[Square] = []
    for x, y, w, h in sorted(boxes, key=lambda box: -box[3]):
        side = min(round(h / FILL), height, width)
        if not LEAST <= side < SMALL * max(height, width) or len(squares) == MOST:
            continue
        if side < height and h > FULL * side:
            continue
        row, column = y + h / 2 - ABOVE * h, x + w / 2
        if any(s.side < 2 * side and _inside(s, row, column) for s in squares):
            continue
        squares.append(Square.around(row, column, side, height, width))
    return squares


def _inside(square: Square, row: float, column: float) -> bool:
    """Whether a point lies in the part of the square that does not fade."""
    edge = BORDER * square.side
    return all(
        start + edge <= at < start + square.side - edge
        for at, start in ((row, square.top), (column, square.left))
    )
