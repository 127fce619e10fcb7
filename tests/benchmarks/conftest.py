"""Fixtures of the benchmark's tests: a small rendered data set and its runs."""

import numpy as np
import pytest
from sample_methods import scene, write


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


@pytest.fixture
def score(data, results):
    """``score(method, **plan)``: one run on the small data set."""
    from benchmarks.runner import RunPlan, run

    def scored(method="input", progress=None, **plan):
        given = {"dataset": "ucb", "protocol": "native-v1", "root": str(data), "faces": False}
        given |= {"out": results, "workers": 1}
        return run(RunPlan(method=method, **{**given, **plan}), progress)

    return scored
