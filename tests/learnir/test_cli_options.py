"""Every option of ``learnir restore`` arrives where it is meant to, and is not another's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from learnir import restore
from learnir.pipeline import LearnIR
from learnir.planning import Writing
from learnir.restore import Outcome


@pytest.fixture
def given(monkeypatch, command, scene, tmp_path):
    """``given(*words)``: what the work is begun with, by name."""
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), scene(16, 24))
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((16, 24), 255, np.uint8))

    def ask(*words):
        seen = {}

        def run(learnir, tasks, writing, options, workers=None):
            seen.update(tasks=tasks, writing=writing, options=options, workers=workers)
            return Outcome(restored=len(tasks))

        read = LearnIR.from_pretrained

        def from_pretrained(where=None, device=None):
            seen.update(where=where, device=device)
            return read(where, "cpu")

        monkeypatch.setattr(restore, "run", run)
        monkeypatch.setattr(LearnIR, "from_pretrained", from_pretrained)
        code, out, errors = command(photo, "-o", tmp_path / "out", *words)
        assert code == 0, errors
        assert out == f"1 restored, 0 skipped, 0 failed -> {tmp_path / 'out'}\n"
        return seen

    return ask


def test_every_option_reaches_the_work_as_it_was_given(given, tmp_path, checkpoint):
    seen = given(
        *("--mode", "tile", "--work-size", 96, "--steps", 4, "--schedule", "cosine"),
        *("--scales", "1,2,4,4", "--correction", "paper", "--weight", 0.3, "--eta", 0.4),
        *("--mirror", "True", "--strength", 0.6, "--seed", 9, "--no-faces", "--no-borders"),
        *("--mask", tmp_path / "mask.png", "--format", "webp", "--compare", "--overwrite"),
        *("--strip-metadata", "--max-megapixels", 2, "--workers", 3, "--device", "cuda:1"),
    )
    assert seen["options"] == {
        "mode": "tile",
        "work_size": 96,
        "steps": 4,
        "schedule": "cosine",
        "scales": (1, 2, 4, 4),
        "correction": "paper",
        "weight": 0.3,
        "eta": 0.4,
        "mirror": True,
        "strength": 0.6,
        "seed": 9,
        "faces": False,
        "borders": False,
    }
    assert seen["writing"] == Writing(
        format="webp",
        compare=True,
        resume=False,
        overwrite=True,
        strip_metadata=True,
        most_pixels=2_000_000,
    )
    assert [task.mask for task in seen["tasks"]] == [tmp_path / "mask.png"]
    assert (seen["workers"], seen["where"], seen["device"]) == (3, str(checkpoint), "cuda:1")


def test_what_is_left_out_is_the_checkpoints(given):
    seen = given("--resume")
    own = dict.fromkeys(
        ("work_size", "steps", "schedule", "scales", "correction", "weight", "eta", "mirror")
    )
    plain = {"mode": "auto", "strength": 1.0, "seed": 0, "faces": True, "borders": True}
    assert seen["options"] == own | plain
    assert seen["writing"] == Writing(resume=True)
    assert (seen["workers"], seen["device"], seen["tasks"][0].mask) == (None, None, None)


@pytest.mark.parametrize(("word", "name"), [("--no-faces", "faces"), ("--no-borders", "borders")])
def test_what_is_switched_off_is_that_alone(given, word, name):
    options = given(word)["options"]
    assert {part: options[part] for part in ("faces", "borders")} == {
        "faces": name != "faces",
        "borders": name != "borders",
    }
