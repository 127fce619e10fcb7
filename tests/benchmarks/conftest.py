"""Fixtures of the benchmark's tests: a small rendered data set and its runs."""

import json
import shutil

import numpy as np
import pytest
from sample_methods import scene, write
from sample_submissions import sign


def write_pairs(root):
    """A data root whose ``ucb`` has eight pairs of six scenes, with masks."""
    for i in range(8):
        key, target = f"{i * 3 // 4:02d}-{i % 2}", scene(i)
        mask = np.zeros((64, 64), np.uint8)
        mask[:, : 16 + 2 * i] = 255
        shadow = np.where(mask[..., None] > 0, target // 2, target)
        for name, picture in (("input", shadow), ("target", target), ("mask", mask)):
            write(root / "ucb" / name / f"{key}.png", picture)
    return root


@pytest.fixture
def data(tmp_path):
    """The root of ``write_pairs``, a test's own."""
    return write_pairs(tmp_path / "data")


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory):
    """Results of "input" and "retinex" on those pairs; to be copied, not changed."""
    from benchmarks.runner import RunPlan, run

    root, out = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("results")
    write_pairs(root)
    for method in ("input", "retinex"):
        run(RunPlan(method, "ucb", out, "native-v1", root=str(root), faces=False, workers=1))
    return out


@pytest.fixture(scope="session")
def four_runs(two_runs, tmp_path_factory):
    """The same, a run of "halfway", and "input" on a second board; to be copied, not changed."""
    from benchmarks.methods import MethodOptions
    from benchmarks.runner import RunPlan, run

    root = write_pairs(tmp_path_factory.mktemp("runs"))
    out = shutil.copytree(two_runs, tmp_path_factory.mktemp("four") / "results")
    halfway = MethodOptions(name="halfway", training_data="none")
    given = {"root": str(root), "faces": False, "workers": 1}
    run(RunPlan("python:sample_methods:halfway", "ucb", out, "native-v1", options=halfway, **given))
    run(RunPlan("input", "ucb", out, "256-v1", **given))
    return out


@pytest.fixture
def results(tmp_path):
    """An empty folder of results."""
    return tmp_path / "results"


@pytest.fixture
def score(data, results):
    """``score(method, **plan)``: one run on the small data set."""
    from benchmarks.runner import RunPlan, run

    def scored(method="input", progress=None, say=None, **plan):
        given = {"dataset": "ucb", "protocol": "native-v1", "root": str(data), "faces": False}
        given |= {"out": results, "workers": 1}
        return run(RunPlan(method=method, **{**given, **plan}), progress, say)

    return scored


@pytest.fixture
def bundle(data, tmp_path):
    """A sound submission: the inputs, somewhat brightened."""
    from benchmarks.pairs import decoded, open_collection
    from benchmarks.submissions import template

    folder = tmp_path / "bundle"
    for pair in decoded(open_collection("ucb", data)):
        bright = np.clip(pair.input.astype(int) + 9, 0, 255).astype(np.uint8)
        write(folder / "results" / f"{pair.key}.png", bright)
    card = template("ucb", "native-v1", data) | {
        "method": "Brighter",
        "by": "Ann",
        "training_data": "none",
        "source": "https://example.org/brighter",
    }
    (folder / "submission.json").write_text(json.dumps(card))
    sign(folder)
    return folder
