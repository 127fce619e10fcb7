"""Options of ``faceshadow`` that say which photos are taken in, and how often."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from dataset_tools import build as building
from dataset_tools import pack as packing
from dataset_tools.cli import main
from dataset_tools.curation import Thresholds, judge
from dataset_tools.facts import Facts
from dataset_tools.options import parser
from dataset_tools.pack import PackJob, PackPlan
from dataset_tools.photos import Photo

PHOTO = Photo("a.png", path=Path("a.png"), licence="CC0")


def seen(**facts: float) -> Facts:
    sound = {"iris_px": 60.0, "sharpness": 100.0, "skin_L": 60.0, "chroma": 20.0, "eyes": 0.9}
    return Facts("a.png", faces=1, **{**sound, **facts})


@pytest.fixture
def limits_of(monkeypatch, tmp_path):
    """``limits_of(*words)``: by which limits a build judges its photos."""

    def given(*words: str) -> Thresholds:
        plans = []

        def build(plan):
            plans.append(plan)
            return SimpleNamespace(photos={}, pairs={"train": 1}, seconds={"render": 1.0})

        monkeypatch.setattr(building, "build", build)
        assert main(["build", str(tmp_path), str(tmp_path / "out"), *words]) == 0
        return plans[0].limits

    return given


def test_a_home_that_a_shell_leaves_behind_an_equals_sign_is_no_new_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/zoe")
    words = ["--splits=~/fs", "--pairs=~/street", "--landmarker=~/a.task", "--landmark-cache=~/c"]
    packed = parser().parse_args(["pack", "photos", "a.npz", *words])
    assert (packed.splits, packed.pairs) == (Path("/home/zoe/fs"), ["/home/zoe/street"])
    assert packed.landmarker == "/home/zoe/a.task"
    assert packed.landmark_cache == Path("/home/zoe/c")
    assert parser().parse_args(["preview", "fs", "--out=~/a.png"]).out == Path("/home/zoe/a.png")
    assert parser().parse_args(["verify", "fs", "--photos=~/b"]).photos == ["/home/zoe/b"]


def test_what_may_be_shadowed_is_kept_where_that_is_asked_for(limits_of):
    doubtful, shadowed = seen(shadow_score=0.33), seen(shadow_score=0.45)
    usual, kept = limits_of(), limits_of("--keep-review")
    assert judge(PHOTO, doubtful, usual).status == "review"
    assert judge(PHOTO, doubtful, kept).status == "kept"
    for limits in (usual, kept):
        verdict = judge(PHOTO, shadowed, limits)
        assert (verdict.status, verdict.step) == ("dropped", "shadow_free")


def test_how_small_a_face_may_be_is_asked_for(limits_of):
    assert limits_of().iris_px == 30
    limits = limits_of("--min-iris-px", "44.5")
    assert judge(PHOTO, seen(iris_px=45), limits).status == "kept"
    verdict = judge(PHOTO, seen(iris_px=44), limits)
    assert (verdict.status, verdict.step) == ("dropped", "large_enough")


def test_every_photo_gives_as_many_frames_as_asked_for(monkeypatch, astronaut, face):
    monkeypatch.setattr(packing, "_opened", lambda _: iter([("a", astronaut, face)]))

    def bases(frames: int) -> list[bytes]:
        job = PackJob("train", 0, (), PackPlan(frames=frames, shadows=(1,), size=64), "")
        return packing.draw(job)[1].files[::3]  # base, maps and a shadow of each

    three = bases(3)
    assert len(set(three)) == 3
    assert bases(1) == three[:1]


def test_the_frames_asked_for_reach_the_archive(monkeypatch, tmp_path):
    plans, out = [], tmp_path / "a.npz"

    def pack_build(_, place, plan):
        plans.append(plan)
        place.write_bytes(b"")
        return dict.fromkeys(("scenes", "uneven", "pairs", "val"), 0)

    monkeypatch.setattr(packing, "pack_build", pack_build)
    assert main(["pack", str(tmp_path), str(out), "--frames", "3", "--shadows", "2"]) == 0
    assert (plans[0].frames, plans[0].shadows) == (3, (2,))
