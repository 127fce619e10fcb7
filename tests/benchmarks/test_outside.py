"""What is handed to methods that live elsewhere, and what is taken from them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from sample_methods import write

from benchmarks import runner
from benchmarks.journal import Journal
from benchmarks.methods import MethodOptions, make_method
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, open_collection

MASKED = MethodOptions(mask="ground truth", training_data="none")
SCORES = ["psnr", "ssim", "lab_mae", "psnr_shadow", "input_psnr", "result_sha256"]


def scores(run):
    """The rows without what a machine measures."""
    return run.rows()[SCORES]


@pytest.mark.parametrize("name", ["buffered", "in_place"])
def test_a_method_may_write_where_it_likes(score, name):
    """Into one buffer for all results, which wait for their batch, and into its input."""
    wanted = score("python:sample_methods:inverted")
    made = score(f"python:sample_methods:{name}")
    assert scores(made).equals(scores(wanted))
    assert made.facts["input_row"] == wanted.facts["input_row"]


def test_a_mask_is_handed_to_who_takes_one_and_says_so(score):
    wanted = score("input")
    masked = score("python:sample_methods:perhaps_masked", options=MASKED)
    assert masked.mean("psnr_shadow") > wanted.mean("psnr_shadow") + 10
    assert masked.mean("psnr_lit") == wanted.mean("psnr_lit")  # the mask is not wiped for scoring
    assert masked.facts["method"]["mask"] == "ground truth"
    needs = score("python:sample_methods:in_place_of_the_mask", options=MASKED)
    assert scores(needs).equals(scores(masked))
    blind = score("python:sample_methods:perhaps_masked", options=MethodOptions(name="blind"))
    assert blind.mean("psnr") == score("python:sample_methods:inverted").mean("psnr")


def test_a_command_is_given_the_mask(score, tmp_path):
    script = tmp_path / "tool.py"
    script.write_text(
        "import sys, cv2, numpy\n"
        "x, mask = cv2.imread(sys.argv[1]), cv2.imread(sys.argv[2], cv2.IMREAD_UNCHANGED)\n"
        "made = numpy.where(mask[..., None] > 0, numpy.clip(x * 2.0, 0, 255), x)\n"
        "cv2.imwrite(sys.argv[3], made.astype('uint8'))"
    )
    command = f"exec:{sys.executable} {script} {{input}} {{mask}} {{output}}"
    made = score(command, options=MASKED, limit=2)
    wanted = score("python:sample_methods:perhaps_masked", options=MASKED, limit=2)
    assert scores(made).equals(scores(wanted))


@pytest.mark.skipif(os.name != "posix", reason="sessions as POSIX has them")
def test_what_a_command_started_ends_with_it(data, tmp_path):
    """A script around what computes, which would go on beside the next picture."""
    script, started = tmp_path / "tool.sh", tmp_path / "pid"
    script.write_text(f"sleep 60 & echo $! > {started}\nwait\n")
    slow = make_method(f"exec:sh {script} {{input}} {{output}}", MethodOptions(timeout=2))
    pair = next(iter(decoded(open_collection("ucb", data))))
    with pytest.raises(BenchmarkError, match="timed out after 2 seconds"):
        slow.restore(pair, 0)
    assert not runs(int(started.read_text()))


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_a_full_disk_is_told_with_the_file(data, tmp_path, monkeypatch):
    """Which lies in /tmp where a command is handed its pictures."""
    import resource

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pair = next(iter(decoded(open_collection("ucb", data))))
    copied, journal = make_method("exec:cp {input} {output}"), Journal(tmp_path / "j.jsonl")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        with pytest.raises(OSError, match=f"File too large: '{tmp_path}/.*/input.png'"):
            copied.restore(pair, 0)
        with pytest.raises(OSError, match=f"File too large: '{journal.path}'"):
            journal.append([{"name": "a name that is long"}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert journal.rows() == []


def runs(pid):
    """Whether a process runs; one that has ended may wait for whoever adopted it."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return state.stdout.strip()[:1] not in (b"", b"Z")


def test_a_row_that_another_of_its_name_hides_is_named(score, tmp_path):
    """Two scripts are both called after the interpreter that runs them."""
    script, other, said = tmp_path / "tool.py", tmp_path / "other.py", []
    script.write_text("import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])")
    other.write_text(script.read_text())
    first = score(f"exec:{sys.executable} {script} {{input}} {{output}}", say=said.append)
    score(f"exec:{sys.executable} {script} {{input}} {{output}}", say=said.append)
    assert said == []
    score(f"exec:{sys.executable} {other} {{input}} {{output}}", say=said.append)
    named = MethodOptions(name="other")
    score(f"exec:{sys.executable} {other} {{input}} {{output}}", options=named, say=said.append)
    (line,) = said
    assert first.facts["method"]["name"] in line
    assert "--name" in line
    assert str(tmp_path) not in str(first.facts["method"])


def test_a_command_that_fails_under_another_python_says_which(score, tmp_path, monkeypatch):
    """Without an activated environment ``python`` is the system's."""
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho No module named numpy >&2; exit 1")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BenchmarkError) as caught:
        score("exec:python tool.py {input} {output}")
    assert "exit 1 No module named numpy (python is " + str(other) in str(caught.value)
    assert str(caught.value).endswith(f"for the one of learnir-bench write {sys.executable})")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(BenchmarkError, match=r"\(python is not there; for"):
        score("exec:python tool.py {input} {output}")
    with pytest.raises(BenchmarkError, match=r"exit 1[^(]*$"):
        score(f"exec:{sys.executable} -c 'raise SystemExit(1)' {{input}} {{output}}")


@pytest.mark.parametrize(
    ("method", "mask", "said"),
    [
        ("python:sample_methods:halfway", "ground truth", "has no parameter mask"),
        ("exec:tool {input} {output}", "ground truth", r"has no \{mask\}"),
        ("gradio:http://127.0.0.1:9", "ground truth", "has no second picture"),
        ("exec:tool {input} {output} {mask}", "none", r"\{mask\} is filled by --mask"),
        ("python:sample_methods:in_place_of_the_mask", "detected", "needs a mask; say --mask"),
    ],
)
def test_a_row_says_of_masks_what_happens(method, mask, said):
    with pytest.raises(BenchmarkError, match=said):
        make_method(method, MethodOptions(mask=mask))


def test_a_pair_without_a_mask_stops_who_is_promised_one(score, data):
    for path in (data / "ucb" / "mask").iterdir():
        path.unlink()
    (data / "ucb" / "mask").rmdir()
    with pytest.raises(BenchmarkError, match="perhaps_masked on 00-0: needs a mask, there is none"):
        score("python:sample_methods:perhaps_masked", options=MASKED)


def saved(data, folder, made):
    """What ``made`` makes of every pair, as a folder of results."""
    for i, pair in enumerate(decoded(open_collection("ucb", data))):
        write(folder / f"{pair.key}.png", made(i, pair))
    return f"results:{folder}"


def disturbed(i, pair):
    """The target, a level off in a few places."""
    return pair.target + np.eye(64, dtype=np.uint8)[..., None] * (pair.target < 255)


@pytest.mark.parametrize("protocol", ["native-v1", "matlab-256-v2", "256-v1"])
@pytest.mark.parametrize("made", [lambda i, pair: pair.target, disturbed])
def test_the_targets_are_nobodys_results(score, data, results, tmp_path, made, protocol):
    folder = tmp_path / "made"
    method = saved(data, folder, made)
    if protocol == "256-v1":  # the method sees 256 x 256, and its results have that size
        fit = runner.protocol_named(protocol).fit
        saved(data, folder, lambda i, pair: fit(made(i, pair)))
    with pytest.raises(BenchmarkError, match="made: 8 of 8 results are the data set's targets"):
        score(method, protocol=protocol)
    assert not list(results.rglob("*.js*"))


def test_a_few_perfect_results_are_no_copy(score, data, tmp_path):
    few = saved(data, tmp_path / "few", lambda i, pair: pair.target if i < 4 else pair.input)
    assert score(few).mean("psnr") > 50
    clean = saved(data, tmp_path / "clean", lambda i, pair: pair.target)
    assert score(clean, clean=True).mean("psnr") == 100  # left alone, as it should be
