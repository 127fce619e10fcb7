from itertools import pairwise

import numpy as np
import pytest
import torch

from learnir.tiling import NoiseField, count_tiles, restore_tiles, spans, weights


@pytest.mark.parametrize("length", [1, 3, 63, 64, 65, 100, 129, 700, 1001])
@pytest.mark.parametrize(("tile", "multiple"), [(64, 4), (96, 8), (64, 1), (50, 16)])
def test_tiles_cover_and_their_weights_add_up_to_one(length, tile, multiple):
    parts = spans(length, tile, multiple)
    total = np.zeros(length)
    for (start, stop), weight in zip(parts, weights(parts), strict=True):
        assert start % multiple == 0
        assert stop - start <= max(tile, 2 * multiple)
        total[start:stop] += weight
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert np.allclose(total, 1, atol=1e-6)


def test_neighbours_overlap_by_about_a_quarter():
    parts = spans(1000, 128, 4)
    overlaps = [a[1] - b[0] for a, b in pairwise(parts)]
    assert min(overlaps) >= 24


def test_any_window_of_the_noise_field_is_the_same_noise():
    field = NoiseField(5)
    whole = field.window(2, 4, 0, 0, (1, 3, 200, 300))
    part = field.window(2, 4, 61, 130, (1, 3, 70, 129))
    assert np.array_equal(part[0], whole[0, :, 61:131, 130:259])


def test_noise_is_white_and_differs_by_seed_draw_and_scale():
    field = NoiseField(0)
    n = field.window(0, 1, 0, 0, (1, 3, 512, 512))[0]
    assert abs(n.mean()) < 0.005
    assert n.std() == pytest.approx(1, abs=0.005)
    for axis in (1, 2):
        neighbour = np.roll(n, 64, axis=axis)
        assert abs((n * neighbour).mean()) < 0.01
        assert abs((n * np.roll(n, 1, axis=axis)).mean()) < 0.01
    assert abs((n[0] * n[1]).mean()) < 0.01
    others = [NoiseField(1), NoiseField(-3)]
    windows = [field.window(0, 1, 0, 0, (1, 3, 64, 64)), field.window(1, 1, 0, 0, (1, 3, 64, 64))]
    windows += [field.window(0, 2, 0, 0, (1, 3, 64, 64))]
    windows += [other.window(0, 1, 0, 0, (1, 3, 64, 64)) for other in others]
    for i, a in enumerate(windows):
        for b in windows[:i]:
            assert abs((a * b).mean()) < 0.05


def test_the_sampler_asks_for_windows_at_its_own_scale():
    noise = NoiseField(3).at(64, 128, torch.device("cpu"))
    expected = NoiseField(3).window(1, 4, 16, 32, (1, 3, 10, 12))
    assert np.array_equal(noise(1, 4, (1, 3, 10, 12)).numpy(), expected)
    noise(1, 4, (1, 3, 10, 12)).zero_()  # a small window is drawn once, and stays what it is
    assert np.array_equal(noise(1, 4, (1, 3, 10, 12)).numpy(), expected)
    large = (1, 3, 513, 512)
    assert np.array_equal(noise(1, 4, large), NoiseField(3).window(1, 4, 16, 32, large))


@pytest.mark.parametrize("size", [(64, 64), (200, 333), (1, 500), (130, 7)])
def test_tiles_put_together_are_the_picture(size):
    picture = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    calls = []

    def restore(rows, columns):
        calls.append((rows, columns))
        return picture[rows, columns]

    bands = list(restore_tiles(*size, 64, 4, restore))
    tops = [top for top, _ in bands]
    assert np.allclose(np.concatenate([band for _, band in bands]), picture, atol=1e-6)
    assert tops == list(np.cumsum([0, *(len(band) for _, band in bands[:-1])]))
    assert len(calls) == count_tiles(*size, 64, 4)
