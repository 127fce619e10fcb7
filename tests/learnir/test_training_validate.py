"""What a training is validated on, and how it is scored."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from learnir.images import to_picture
from learnir.training.validate import load_validation, psnr


class Grey:
    """A pair whose input is grey of one level, which tells it from the others."""

    def __init__(self, level: int) -> None:
        self.level = level

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        shape = (8, 8, 3)
        return np.full(shape, self.level, np.uint8), np.full(shape, 255, np.uint8)


@pytest.mark.parametrize(
    ("held", "count", "expected"),
    [(1, 48, [0]), (5, 48, [0, 1, 2, 3, 4]), (48, 48, range(48)), (10, 4, [0, 2, 5, 7])],
)
def test_pairs_are_spread_over_the_split_and_none_is_taken_twice(held, count, expected):
    y, x = load_validation([Grey(level) for level in range(held)], count, 4)
    assert [int(to_picture(one)[0, 0, 0]) for one in y] == list(expected)
    assert x.shape == y.shape == (len(expected), 3, 4, 4)


def test_identical_pictures_count_as_80_db():
    x = torch.full((2, 3, 8, 8), -1.0)
    y = torch.stack([x[0], x[0] + 2 / 255])  # the second by one level of 8 bits
    assert psnr(y, x).tolist() == pytest.approx([80.0, 20 * np.log10(255)], abs=1e-6)
