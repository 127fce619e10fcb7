"""Engines, the landmark cache that builds share, and the command line around them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_tools import engines, landmarker, pack, survey
from dataset_tools.build import BuildPlan, decide, find_photos, survey_photos
from dataset_tools.cli import main
from dataset_tools.engines import EngineError, EnginePlan
from dataset_tools.facts import Facts
from dataset_tools.landmarks import Landmarks
from dataset_tools.photos import Photo, PhotoError, read_bytes
from dataset_tools.preview import preview
from dataset_tools.survey import cached_facts


@pytest.fixture(scope="module")
def portraits(tmp_path_factory, astronaut, write_variants) -> Path:
    folder = tmp_path_factory.mktemp("portraits")
    write_variants(folder, astronaut, 12)
    return folder


def options(*more: object) -> list[str]:
    words = ["--licence", "CC0", "--size", "64", "--engine", "local", "--workers", "1", *more]
    return list(map(str, words))


@pytest.mark.parametrize("plan", [EnginePlan("local", 1), EnginePlan("daft", 1)])
def test_what_a_job_raises_reaches_the_caller(tmp_path, plan):
    (tmp_path / "there").write_bytes(b"data")
    assert list(engines.run(plan, read_bytes, [tmp_path / "there"])) == [b"data"]
    with pytest.raises(PhotoError, match="gone: cannot be read") as caught:
        list(engines.run(plan, read_bytes, [tmp_path / "there", tmp_path / "gone"]))
    assert str(caught.value).startswith(str(tmp_path))


def test_an_engine_that_ends_early_is_not_taken_for_finished(monkeypatch):
    """Daft does so at Ctrl-C where a shell has the interrupt ignored, as in a script's ``&``."""
    monkeypatch.setitem(engines.ENGINES, "daft", lambda plan, function, jobs: iter(jobs[:2]))
    came = engines.run(EnginePlan("daft"), len, ["a", "b", "c"])
    with pytest.raises(EngineError, match="stopped after 2 of 3 jobs"):
        list(came)
    assert list(engines.run(EnginePlan("daft"), len, ["a", "b"])) == ["a", "b"]


def command(*words: object, **more) -> subprocess.Popen:
    line = [sys.executable, "-m", "dataset_tools.cli", *map(str, words)]
    return subprocess.Popen(line, stderr=subprocess.PIPE, text=True, **more)


def test_a_missing_model_is_one_line_with_daft(tmp_path, portraits):
    more = ("--licence", "CC0", "--workers", 2, "--landmarker", tmp_path / "nofile.task")
    run = command("build", portraits, tmp_path / "out", *more)
    error = run.communicate(timeout=120)[1]
    assert run.returncode == 1
    assert "nofile.task: no such file" in error
    assert "Traceback" not in error
    assert "Daft" not in error


def test_ctrl_c_with_daft_exits_as_interrupted(tmp_path, portraits):
    more = ("--licence", "CC0", "--workers", 1, "--pairs-per-photo", 200)
    run = command("build", portraits, tmp_path / "out", *more, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "out/.faceshadow/splits.json").exists():  # then it renders for long
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers too
    error = run.communicate(timeout=120)[1]
    assert run.returncode == 130
    assert error.strip().splitlines()[-1] == "faceshadow: stopped; run the same command to go on"


AT_WORK = """
from dataset_tools import cli, engines

jobs = 2 * ["import time; open('at work', 'w'); time.sleep(60)"]
cli.RUNNERS["stats"] = lambda _: len([*engines.run(engines.EnginePlan("local", 2), exec, jobs)])
raise SystemExit(cli.main())
"""


def test_sigterm_ends_plain_processes_in_one_line(tmp_path):
    """``kill``, ``docker stop`` and systemd reach the command alone."""
    run = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, "stats", "here"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    while not (tmp_path / "at work").exists() and run.poll() is None:
        time.sleep(0.1)
    run.terminate()
    error = run.communicate(timeout=30)[1]  # the workers hold the stream open as long as they live
    assert (run.returncode, error) == (143, "faceshadow: stopped; run the same command to go on\n")


KILLED = """
import sys
from dataset_tools import cli, engines

plan = engines.EnginePlan(sys.argv.pop(), 2)
jobs = ["import os; os.kill(os.getpid(), 9)", *3 * ["import time; time.sleep(1)"]]
cli.RUNNERS["stats"] = lambda _: len([*engines.run(plan, exec, jobs)])
raise SystemExit(cli.main())
"""


@pytest.mark.parametrize("engine", ["local", "daft"])
def test_a_worker_that_is_killed_ends_the_run_in_one_line(engine):
    """As the system does where memory runs out."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, "stats", "here", engine],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert run.stderr.splitlines()[-1] == f"faceshadow: {engines.KILLED}"


def test_an_archive_does_not_depend_on_the_order_of_results(tmp_path, portraits, monkeypatch):
    plan = BuildPlan((str(portraits),), tmp_path, licence="CC0", engine=EnginePlan("local", 1))
    photos = find_photos(plan)
    dealt = decide(plan, photos, survey_photos(plan, photos)).kept
    assert len(dealt["train"]) > pack.PHOTOS_PER_JOB  # more than one job
    monkeypatch.setattr(pack, "BACKDROPS", 2)
    layers = pack.PackPlan(shadows=(1,), size=64)
    pack.pack(dealt, tmp_path / "a.npz", layers, plan.engine)
    backwards = lambda plan, function, jobs: map(function, reversed(jobs))  # noqa: E731
    monkeypatch.setitem(engines.ENGINES, "local", backwards)
    pack.pack(dealt, tmp_path / "b.npz", layers, plan.engine)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.fixture
def looked(monkeypatch) -> list[float]:
    """One entry a photo that a stand-in for the detector saw; faces are as bright as photos."""
    seen: list[float] = []

    class Detector:
        def detect(self, picture: np.ndarray) -> Landmarks:
            seen.append(float(picture.mean()))
            return Landmarks(np.full((478, 3), picture.mean(), np.float32), picture[..., 0], 1)

    def measure(key: str, sha256: str, picture: np.ndarray, face: Landmarks) -> Facts:
        return Facts(key, sha256, faces=1, skin_L=float(picture.mean()))

    monkeypatch.setattr(survey, "worker_detector", lambda model: Detector())
    monkeypatch.setattr(survey, "measure", measure)
    return seen


def grey(folder: Path, *levels: int) -> list[Photo]:
    """Pictures p0.png, p1.png, ... of one grey each."""
    folder.mkdir(exist_ok=True)
    for index, level in enumerate(levels):
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(folder / f"p{index}.png")
    return [Photo(f"p{i}.png", folder / f"p{i}.png") for i in range(len(levels))]


def facts_of(photos: list[Photo], cache: Path, model: str = "") -> list[Facts]:
    return [f for job in survey.survey_jobs(photos, cache, model) for f in survey.survey(job)]


def found(cache: Path, facts: list[Facts], model: str = "") -> dict[str, float]:
    path = survey.bucket_path(cache, 0, 1)
    faces = survey.load_landmarks(path, facts, model)
    return {key: float(face.points[0, 0]) for key, face in faces.items()}


def test_points_of_another_landmarker_are_not_taken_for_its_own(tmp_path, looked, monkeypatch):
    photos, cache, model = grey(tmp_path / "one", 10, 20), tmp_path / "cache", tmp_path / "x.task"
    model.write_bytes(b"a model")
    for expected in (2, 2):  # the second time the cache answers
        facts = facts_of(photos, cache, str(model))
        assert len(looked) == expected
    model.write_bytes(b"another model of that name")
    assert found(cache, facts, str(model)) == {}
    facts_of(photos, cache, str(model))
    assert len(looked) == 4
    copy = tmp_path / "elsewhere.task"
    copy.write_bytes(model.read_bytes())
    facts_of(photos, cache, str(copy))
    assert len(looked) == 4  # the same model at another place
    monkeypatch.setattr(landmarker, "version", lambda _: "9.9")
    facts_of(photos, cache, str(model))
    assert len(looked) == 6
    monkeypatch.setattr(landmarker, "LAYOUT", landmarker.LAYOUT + 1)
    facts_of(photos, cache, str(model))
    assert len(looked) == 8
    assert len(facts_of(photos, cache)) == 2
    assert len(looked) == 10  # MediaPipe's own models


def test_builds_that_share_a_cache_keep_each_others_landmarks(tmp_path, looked):
    one = facts_of(grey(tmp_path / "one", 10, 20), tmp_path / "cache")
    two = facts_of(grey(tmp_path / "two", 30, 20, 40), tmp_path / "cache")  # keys as in one
    model = tmp_path / "x.task"
    model.write_bytes(b"a model")
    tasks = facts_of(grey(tmp_path / "two", 30, 20, 40), tmp_path / "cache", str(model))
    assert len(looked) == 2 + 2 + 3
    assert found(tmp_path / "cache", one) == {"p0.png": 10, "p1.png": 20}
    assert found(tmp_path / "cache", two) == {"p0.png": 30, "p1.png": 20, "p2.png": 40}
    assert len(found(tmp_path / "cache", tasks, str(model))) == 3
    facts_of(grey(tmp_path / "one", 10, 20), tmp_path / "cache")
    assert len(looked) == 7  # nothing had to be looked at again


def test_a_damaged_cache_is_made_again(tmp_path, looked):
    photos = grey(tmp_path / "one", 10)
    path = survey.bucket_path(tmp_path / "cache", 0, 1)
    facts = facts_of(photos, tmp_path / "cache")
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for damage in (b"", b"PAR1 cut short", whole[:footer] + b"\xff" * 40 + whole[footer + 40 :]):
        path.write_bytes(damage)
        assert list(cached_facts(tmp_path / "cache")) == []
        assert facts_of(photos, tmp_path / "cache") == facts
        assert found(tmp_path / "cache", facts) == {"p0.png": 10}


def test_a_damaged_bucket_beside_a_whole_coarser_one_is_made_again(tmp_path, looked):
    photos, cache = grey(tmp_path / "one", 10), tmp_path / "cache"
    facts = facts_of(photos, cache)
    finer = survey.bucket_path(cache, survey.bucket_of("p0.png", 2), 2)
    job = survey.SurveyJob(tuple(photos), finer)
    for damage in (None, b"", b"PAR1 cut short"):
        if damage is not None:
            finer.write_bytes(damage)
        assert survey.survey(job) == facts
        assert float(survey.load_landmarks(finer, facts)["p0.png"].points[0, 0]) == 10
    assert len(looked) == 1  # the coarser one told


def test_a_photo_that_could_not_be_decoded_is_tried_again(tmp_path, looked, monkeypatch):
    """As HEIC once pillow-heif is there."""
    photos, cache = grey(tmp_path / "one", 10, 20), tmp_path / "cache"
    facts_of(photos[:1], cache)
    path = survey.bucket_path(cache, 0, 1)

    def undecodable(_: bytes, place: str) -> np.ndarray:
        raise PhotoError(f"{place}: needs pillow-heif")

    with monkeypatch.context() as patch:
        patch.setattr(survey, "decode_picture", undecodable)
        first, second = facts_of(photos, cache)
        assert (first.unreadable, len(looked)) == ("", 1)  # what was decoded before is known
        assert second.unreadable.endswith("needs pillow-heif")
        before = path.stat().st_mtime_ns
        assert facts_of(photos, cache) == [first, second]
        assert path.stat().st_mtime_ns == before
    facts = facts_of(photos, cache)
    assert [fact.unreadable for fact in facts] == ["", ""]
    assert facts_of(photos, cache) == facts
    assert len(looked) == 2
    assert found(cache, facts) == {"p0.png": 10, "p1.png": 20}


def test_forgetting_a_photo_under_every_key(tmp_path, looked):
    photos = grey(tmp_path / "one", 10, 20)
    facts_of(photos, tmp_path / "cache")
    again = [Photo(f"one/{p.key}", p.path) for p in photos]
    facts = facts_of(again, tmp_path / "cache")
    survey.forget(tmp_path / "cache", {"one/p0.png"})
    path = survey.bucket_path(tmp_path / "cache", 0, 1)
    assert found(tmp_path / "cache", facts) == {"one/p1.png": 20}
    assert b"p0.png" not in path.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ("build", "p", "out", "--size", "0"),
        ("build", "p", "out", "--size", "-5"),
        ("build", "p", "out", "--seed", "-1"),
        ("build", "p", "out", "--pairs-per-photo", "0"),
        ("build", "p", "out", "--workers", "-2"),
        ("build", "p", "out", "--min-iris-px", "nan"),
        ("build", "p", "out", "--min-iris-px", "inf"),
        ("build", "p", "out", "--min-iris-px", "-1"),
        ("pack", "p", "a.npz", "--shadows", "0"),
        ("pack", "p", "a.npz", "--frames", "0"),
        ("verify", "out", "--sample", "-1"),
        ("preview", "out", "--count", "0"),
        ("preview", "out", "--seed", "-1"),
        ("preview", "out", "--count", "x"),
    ],
)
def test_numbers_out_of_range_are_refused_at_once(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert f"argument {words[-2]}: " in error
    assert "too small" in error or "invalid number value" in error


def test_previews_are_what_their_name_says(tmp_path, portraits):
    out = tmp_path / "out"
    assert main(["build", str(portraits), str(out), *options("--no-sheets")]) == 0
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", "WEBP")):
        preview(out, tmp_path / name, count=2, side=64)
        assert Image.open(tmp_path / name).format == kind
        assert cv2.imread(str(tmp_path / name)).shape[1] > 2 * 64
    assert main(["preview", str(out), "-o", str(tmp_path / "a.txt")]) == 1
    assert not (tmp_path / "a.txt").exists()


def test_engine_names_are_checked():
    with pytest.raises(EngineError, match="choose from local"):
        engines.run(EnginePlan("slurm"), read_bytes, [])
