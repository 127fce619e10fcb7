"""Fixtures of the benchmark's tests: a small rendered data set and its runs."""

import cv2
import numpy as np
import pytest


def scene(seed, size=64):
    """A rendered picture with smooth colours and some texture, uint8 RGB."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(60, 220, (5, 5, 3)).astype(np.float32)
    smooth = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def write(path, picture):
    """A picture on disk, RGB in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1] if picture.ndim == 3 else picture)


@pytest.fixture
def data(tmp_path):
    """A data root whose ``ucb`` has eight pairs of six scenes, with masks."""
    root = tmp_path / "data"
    for i in range(8):
        key, target = f"{i * 3 // 4:02d}-{i % 2}", scene(i)
        mask = np.zeros((64, 64), np.uint8)
        mask[:, : 16 + 2 * i] = 255
        shadow = np.where(mask[..., None] > 0, target // 2, target)
        for name, picture in (("input", shadow), ("target", target), ("mask", mask)):
            write(root / "ucb" / name / f"{key}.png", picture)
    return root


@pytest.fixture
def results(tmp_path):
    """An empty folder of results."""
    return tmp_path / "results"


def halfway(picture):
    """A method for the tests: doubles what is dark."""
    dark = cv2.blur(picture, (9, 9)).mean(axis=2, keepdims=True) < 95
    return np.clip(picture * np.where(dark, 2.0, 1.0), 0, 255).astype(np.uint8)


def hungry(picture):
    """A method that takes 200 MB for a moment."""
    return picture + np.ones(200_000_000, np.uint8)[:1] - np.uint8(1)


def inverted(picture):
    """The negative."""
    return 255 - picture


def untouched(picture):
    """A method that does nothing."""
    return picture


def speckled(picture, seed=0):
    """A method that draws at random: some pixels a little brighter."""
    bright = np.random.default_rng(seed).integers(0, 30, picture.shape)
    return np.clip(picture.astype(int) + bright, 0, 255).astype(np.uint8)


@pytest.fixture
def score(data, results):
    """``score(method, **plan)``: one run on the small data set."""
    from benchmarks.runner import RunPlan, run

    def scored(method="input", **plan):
        given = {"protocol": "native-v1", "root": str(data), "faces": False, "workers": 1}
        return run(RunPlan(method=method, dataset="ucb", out=results, **{**given, **plan}))

    return scored
