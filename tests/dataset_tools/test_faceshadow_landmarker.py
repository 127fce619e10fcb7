"""Which landmarker found a data set's faces: what is recorded, and what verifies it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.metadata import version

from builds import build, contents

from dataset_tools import ledger, survey
from dataset_tools import verify as checking
from dataset_tools.build import BuildPlan
from dataset_tools.cli import main
from dataset_tools.files import file_hash
from dataset_tools.verify import verify


def test_the_landmarker_of_the_environment_is_recorded(tmp_path, monkeypatch):
    plan = BuildPlan((), tmp_path)
    monkeypatch.delenv("LEARNIR_FACE_LANDMARKER", raising=False)
    assert plan.landmarker == ""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEARNIR_FACE_LANDMARKER", "face.task")
    assert plan.landmarker == str(tmp_path.resolve() / "face.task")
    assert replace(plan, model="/other.task").landmarker == "/other.task"


def test_another_landmarker_renders_again(tmp_path, shared, photos, monkeypatch):
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    model = str(shared / "assets" / "face_landmarker.task")
    assert build(photos, out) == 0
    bundled = contents(out)
    assert build(photos, out, "--landmarker", model) == 0
    monkeypatch.setenv("LEARNIR_FACE_LANDMARKER", model)
    assert build(photos, fresh) == 0
    monkeypatch.delenv("LEARNIR_FACE_LANDMARKER")
    assert contents(out) == contents(fresh) != bundled
    for place in (out, fresh):
        assert verify(place).problems == []


def test_the_landmarker_of_the_environment_is_not_that_of_a_dataset(
    tmp_path, shared, photos, monkeypatch
):
    out = tmp_path / "out"
    monkeypatch.delenv("LEARNIR_FACE_LANDMARKER", raising=False)
    assert build(photos, out) == 0
    monkeypatch.setenv("LEARNIR_FACE_LANDMARKER", str(shared / "assets" / "face_landmarker.task"))
    monkeypatch.setattr(survey, "_detectors", {})  # as in another process
    assert verify(out).problems == []


def test_a_published_copy_is_verified_with_its_landmarker_or_says_why_not(
    tmp_path, shared, photos, monkeypatch, capsys
):
    out, copy = tmp_path / "out", tmp_path / "copy"
    model = tmp_path / "face_landmarker.task"
    shutil.copy(shared / "assets" / "face_landmarker.task", model)
    monkeypatch.delenv("LEARNIR_FACE_LANDMARKER", raising=False)
    assert build(photos, out, "--landmarker", model) == 0
    assert main(["push", str(out), str(copy)]) == 0
    recorded = ledger.read_plan(copy)["landmarker"]
    assert recorded == {
        "mediapipe": version("mediapipe"),
        "task": file_hash(model),
        "segmenter": "",
    }
    assert str(tmp_path).encode() not in (copy / "faceshadow.json").read_bytes()
    words = ["verify", str(copy), "--photos", str(photos)]
    capsys.readouterr()
    assert main(words) == 0  # once: every pair "renders differently now"
    said = capsys.readouterr().out
    assert " 0 pairs rendered again, " in said
    assert (
        f"set LEARNIR_FACE_LANDMARKER to the face_landmarker.task of SHA-256 {recorded['task']}"
        in said
    )
    assert main(["verify", str(copy)]) == 0
    assert "skipped (their photos are not here" in capsys.readouterr().out
    monkeypatch.setenv("LEARNIR_FACE_LANDMARKER", str(model))
    assert main(words) == 0
    assert capsys.readouterr().out.endswith(" pairs rendered again, 0 skipped\n")
    model.write_bytes(b"another model of that name")
    assert main(words) == 0
    assert " 0 pairs rendered again, " in capsys.readouterr().out


def test_the_bundled_landmarker_of_a_copy_is_not_that_of_the_environment(
    tmp_path, photos, cache, monkeypatch, capsys
):
    out, copy = tmp_path / "out", tmp_path / "copy"
    assert build(photos, out, "--landmark-cache", cache) == 0
    assert main(["push", str(out), str(copy)]) == 0
    monkeypatch.setenv("LEARNIR_FACE_LANDMARKER", str(tmp_path / "gone.task"))
    assert main(["verify", str(copy), "--photos", str(photos)]) == 0
    assert capsys.readouterr().out.endswith(" pairs rendered again, 0 skipped\n")
    monkeypatch.setattr(checking, "version", lambda _: "9.9")
    monkeypatch.setattr(checking, "ROUNDING", -1.0)
    assert main(["verify", str(copy), "--photos", str(photos)]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors[-1].startswith(f"made with mediapipe {version('mediapipe')}, this is 9.9")
    monkeypatch.setattr(checking, "carries_models", lambda: False)
    assert main(["verify", str(copy), "--photos", str(photos)]) == 0
    assert "by models of its own" in capsys.readouterr().out
