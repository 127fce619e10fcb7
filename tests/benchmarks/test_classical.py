"""The dark channel prior and the guided filter against their definitions, window by window."""

import numpy as np
import pytest

from benchmarks import classical
from learnir.images import from_unit, to_unit

PATCH, RADIUS = 5, 3


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    monkeypatch.setattr(classical, "PATCH", PATCH)
    monkeypatch.setattr(classical, "GUIDED_RADIUS", RADIUS)


def around(x: np.ndarray, radius: int, **border):
    """Every pixel's window, (H, W, side, side)."""
    padded = np.pad(x, radius, **border)
    return np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2)


def brute_dark(image: np.ndarray) -> np.ndarray:
    """J_dark(x) = min over the patch of the darkest channel (He 2009, Eq. 5)."""
    windows = around(image.min(axis=2), PATCH // 2, mode="constant", constant_values=9)
    return windows.min(axis=(2, 3))


def brute_guided(guide: np.ndarray, values: np.ndarray) -> np.ndarray:
    """q_i = mean over the windows k that hold i of a_k I_i + b_k (He 2010, Eqs. 5, 6, 8)."""
    H, W = guide.shape
    windows, targets = (around(x, RADIUS, mode="reflect") for x in (guide, values))
    a, b = np.zeros((H, W)), np.zeros((H, W))
    for k in np.ndindex(H, W):
        I, p = windows[k].ravel(), targets[k].ravel()  # noqa: E741 - the paper's symbol
        a[k] = ((I * p).mean() - I.mean() * p.mean()) / (I.var() + classical.GUIDED_EPS)
        b[k] = p.mean() - a[k] * I.mean()
    slopes, offsets = (around(x, RADIUS, mode="reflect").mean(axis=(2, 3)) for x in (a, b))
    return slopes * guide + offsets


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 250, (18, 22, 3)).astype(np.uint8)


def test_the_dark_channel_is_the_least_of_a_patch():
    image = to_unit(picture())
    assert np.array_equal(classical._dark(image), brute_dark(image))


def test_the_air_light_is_the_colour_where_the_dark_channel_is_brightest():
    image = to_unit(picture())
    brightest = np.unravel_index(brute_dark(image).argmax(), image.shape[:2])
    assert classical.airlight(image) == pytest.approx(image[brightest])


def test_the_guided_filter_is_the_mean_of_its_windows_regressions():
    rng = np.random.default_rng(1)
    guide, values = rng.random((2, 18, 22)).astype(np.float32)
    assert classical._guided(guide, values) == pytest.approx(brute_guided(guide, values), abs=1e-5)


def test_dehazing_inverts_the_model_of_haze():
    """J = (I - A) / max(t, 0.1) + A with t = 1 - 0.95 dark(I / A), refined."""
    hazy = 130 + picture() // 3
    image = to_unit(hazy)
    air = classical.airlight(image)
    grey = image @ np.array([0.299, 0.587, 0.114])
    t = brute_guided(grey, 1 - 0.95 * brute_dark(image / air))
    clear = from_unit((image - air) / np.clip(t, 0.1, 1)[..., None] + air)
    made = classical.dark_channel(hazy)
    assert np.abs(made.astype(int) - clear).max() <= 1
    assert made.std() > 1.5 * hazy.std()
