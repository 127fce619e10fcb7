"""The ``learnir`` command beside restoring: help, info, train and adapt."""

import json
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from learnir.checkpoint import SHIPPED, weights_hash
from learnir.cli import main, parse_scales


def test_help_loads_nothing_heavy_and_answers_at_once():
    heavy = ("torch", "pandas", "mediapipe", "gradio", "datasets")
    script = (
        "import sys, learnir.cli\n"
        "try: learnir.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[]"
    assert "restore" in done.stdout
    assert time.perf_counter() - began < 5  # 1 s is the aim; shared machines are slower


def test_the_help_of_a_flag_says_what_the_flag_does(run):
    code, out, _ = run("restore", "--help")
    assert code == 0
    words = " ".join(out.replace("│", " ").split())
    assert "--no-faces no close-ups of faces that do not fill the picture" in words
    assert "--no-borders also restore bars of one colour around a photograph" in words
    assert "(default: )" not in words


def test_info_tells_network_sampling_and_training(run, checkpoint):
    code, out, _ = run("info", checkpoint)
    assert code == 0
    for word in ("naf", "residual", "1,1,2,4,4", "seed"):
        assert word in out.replace(", ", ","), out


def test_info_of_the_shipped_weights(run):
    code, out, _ = run("info")
    assert code == 0
    scores = json.loads((SHIPPED / "scores.json").read_text(encoding="utf-8"))
    assert len(scores) > 1
    assert "FaceShadow test, clean faces: same -> " in out
    for name, means in scores.items():
        restored = f"{means['restored']['psnr']:.2f} dB"
        assert any(name in line and restored in line for line in out.splitlines())


def test_info_of_scores_without_lpips_and_of_damaged_ones(run, checkpoint):
    means = {"psnr": 20.0, "ssim": 0.9}
    path = checkpoint / "scores.json"
    path.write_text(json.dumps({"mine": {"pairs": 2, "input": means, "restored": means}}))
    assert "mine: 20.00 -> 20.00 dB, SSIM 0.900\n" in run("info", checkpoint)[1]
    kept = {"input": means | {"psnr": 80.0}, "restored": means | {"psnr": 79.9}}
    path.write_text(json.dumps({"clean": {"pairs": 2, **kept}}))
    assert "clean: same -> 79.90 dB, SSIM 0.900\n" in run("info", checkpoint)[1]
    path.write_text("{")
    assert "scores.json is damaged" in run("info", checkpoint)[1]


def test_info_says_which_scores_are_of_other_weights(run, checkpoint):
    means = {"psnr": 20.0, "ssim": 0.9}
    of = {"former": "0" * 16, "these": weights_hash(checkpoint)}
    sets = {n: {"weights": h, "input": means, "restored": means} for n, h in of.items()}
    (checkpoint / "scores.json").write_text(json.dumps(sets))
    out = run("info", checkpoint)[1]
    assert "former: 20.00 -> 20.00 dB, SSIM 0.900, measured with weights that others have" in out
    assert "these: 20.00 -> 20.00 dB, SSIM 0.900\n" in out


def test_info_of_nothing_is_one_line(run, tmp_path):
    code, _, errors = run("info", tmp_path / "gone")
    assert code == 2
    assert errors.strip().splitlines() == [
        f"learnir: {tmp_path / 'gone'}: no such checkpoint folder; check the path or the Hub id"
    ]


@pytest.mark.parametrize("name", ["train", "adapt"])
def test_a_training_that_runs_out_of_memory_is_one_line(run, tmp_path, monkeypatch, name):
    def full(*_, **__):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate")

    monkeypatch.setattr("learnir.training.command.open_inputs", full)
    words = ["train", "smoke"] if name == "train" else ["adapt"]
    code, _, errors = run(*words, "--data", tmp_path, "--out", tmp_path / "run")
    assert code == 1
    assert errors.startswith("learnir: not enough memory; close other programs, then --resume")
    assert len(errors.splitlines()) == 1


@pytest.mark.slow
def test_train_then_adapt_then_restore(run, pairs, tmp_path):
    run_folder, adapted = tmp_path / "run", tmp_path / "adapted"
    code, out, _ = run("train", "smoke", "--data", pairs, "--out", run_folder, "--device", "cpu")
    assert code == 0
    assert out.strip().endswith(str(run_folder / "last"))
    record = json.loads((run_folder / "last" / "training.json").read_text())
    assert record["step"] == 12
    code, _, _ = run(
        "adapt", "--data", pairs, "--out", adapted, "--checkpoint", run_folder / "last",
        "--iterations", 2, "--pairs", 4, "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    assert json.loads((adapted / "last" / "config.json").read_text())["correction"] == "learned"
    picture = pairs / "input" / "0.png"
    code, _, errors = run(
        "restore", picture, "-o", tmp_path / "out", "--checkpoint", adapted / "last"
    )
    assert code == 0, errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense", "--data", "x"], "preset"),
        (["smoke", "--data", "x"], "x"),
        (["smoke", "--data", "PAIRS", "--iterations", "3"], "2 numbers"),
        (["smoke", "--data", "PAIRS", "--init", "nowhere"], "no such checkpoint"),
    ],
)
def test_a_training_that_cannot_start_is_one_line(run, pairs, tmp_path, arguments, words):
    arguments = [str(pairs) if a == "PAIRS" else a for a in arguments]
    code, _, errors = run("train", *arguments, "--out", tmp_path / "run")
    assert code == 2
    assert words in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "last").exists()


def test_a_used_folder_is_not_trained_over(run, pairs, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.pt").write_bytes(b"")
    code, _, errors = run("train", "smoke", "--data", pairs, "--out", tmp_path / "run")
    assert code == 2
    assert "--resume" in errors


@pytest.mark.parametrize("number", ["inf", "nan", "0", "-3"])
def test_megapixels_that_are_no_limit(run, checkpoint, tmp_path, number):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((8, 8, 3), np.uint8))
    given = [tmp_path / "photo.png", "-o", tmp_path / "out", "--checkpoint", checkpoint]
    code, _, errors = run("restore", *given, "--max-megapixels", number)
    assert code == 2
    assert errors == f"learnir: --max-megapixels is a number above 0, got {number}\n"


def test_no_steps_are_refused(run, checkpoint, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((8, 8, 3), np.uint8))
    given = [tmp_path / "photo.png", "-o", tmp_path / "out", "--checkpoint", checkpoint]
    code, _, errors = run("restore", *given, "--steps", 0)
    assert code == 2
    assert errors == "learnir: steps lies between 2 and 1000, got 0\n"


def test_scales_as_text():
    assert parse_scales("1,1,2,4,4") == (1, 1, 2, 4, 4)
    assert parse_scales("fixed") == "fixed"
    assert parse_scales(None) is None
    with pytest.raises(ValueError, match="one,two"):
        parse_scales("one,two")


def test_a_folder_whose_name_is_not_utf8_is_told(checkpoint, pairs, tmp_path):
    out = tmp_path / os.fsdecode(b"b\xe4r")
    picture = next((pairs / "input").iterdir())
    words = ["restore", picture, "-o", out, "--checkpoint", checkpoint, "--no-faces"]
    done = subprocess.run(
        [sys.executable, "-m", "learnir.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 restored, 0 skipped, 0 failed" in done.stdout


def test_a_missing_extra_is_one_line_with_a_command_for_any_shell(
    capsys, pairs, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.delitem(sys.modules, "learnir.training.command", raising=False)
    monkeypatch.delitem(sys.modules, "learnir.training.loop", raising=False)
    with pytest.raises(SystemExit) as stop:
        main(["train", "smoke", "--data", str(pairs), "--out", str(tmp_path / "run")])
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith("pip install -e '.[train]'\n")
