"""Options of ``learnir train`` and ``learnir adapt``: what makes no sense is one line, in time."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from archives import write_archive

from learnir import progress
from learnir.checkpoint import load_checkpoint
from learnir.pipeline import LearnIR
from learnir.training import command
from learnir.training.presets import CORRECTOR_STAGE, PRESETS, Stage


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        ("cpu", {"step_weights": (0.5, 0.5)}, "step_weights are 5 numbers"),
        ("cpu", {"stages": (Stage(iterations=1, size=126),)}, "a multiple of 4"),
        ("release", {"stages": (Stage(iterations=1, size=252),)}, "a multiple of 8"),
        ("smoke", {"stages": (*PRESETS["smoke"].stages, CORRECTOR_STAGE)}, "train one part"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(preset, changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(PRESETS[preset], **changes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--iterations", "0", "0"], "--iterations: 0 leaves a stage out"),
        (["--iterations", "-5", "3"], "got -5 3"),
        (["--processes", "0"], "--processes is at least 1, got 0"),
        (["--pairs", "0"], "--pairs is at least 1, got 0"),
        (["--pairs", "-1"], "--pairs is at least 1, got -1"),
        (["--seed", "-1"], "--seed lies between 0 and"),
        (["--seed", str(2**70)], "--seed lies between 0 and"),
        (["--device", "nonsense"], "device 'nonsense' is not available here"),
        (["--device", "cuda:99"], "device 'cuda:99' is not available here"),
        (["--device", "meta"], "device 'meta' is not available here"),
    ],
)
def test_numbers_and_devices_that_make_no_sense(run, pairs, tmp_path, options, words):
    given = ["--data", pairs, "--out", tmp_path / "run", *options]
    code, _, errors = run("train", "smoke", *given)
    assert code == 2
    assert words in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_validation_folder_that_is_not_there_is_one_line(run, pairs, tmp_path):
    given = ["--data", pairs, "--out", tmp_path / "run", "--validation", tmp_path / "gone"]
    code, _, errors = run("train", "smoke", *given)
    assert code == 2
    assert (
        errors
        == f"learnir: {tmp_path / 'gone'}: no such folder; give one with input/ and target/\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_plain_folder_to_validate_on_counts_whole(pairs, pairs_folder, tmp_path):
    config = dataclasses.replace(PRESETS["smoke"], validation_pairs=48)

    def held_out(data, validation):
        run = command.prepare_run(config, [data], tmp_path / "run", validation, "cpu")
        return len(run.validation[0])

    assert held_out(pairs, pairs_folder) == 12
    assert held_out(pairs_folder, str(pairs_folder)) == 1  # what is trained on is not held out
    (tmp_path / "link").symlink_to(pairs_folder)
    assert held_out(pairs_folder, tmp_path / "link") == 1


def test_a_place_to_validate_on_without_pairs_is_one_line(run, pairs, tmp_path):
    (tmp_path / "built" / "val").mkdir(parents=True)
    (tmp_path / "built" / "val" / "metadata.jsonl").touch()
    for place in (pairs, tmp_path / "built"):  # of the first none is held out by its name
        given = ["--data", pairs, "--out", tmp_path / "run", "--validation", place]
        code, _, errors = run("train", "smoke", *given)
        assert code == 2
        assert errors == (
            f"learnir: {place}: holds no pairs to validate on; give another --validation\n"
        )
    assert not (tmp_path / "run").exists()


def test_the_output_is_the_folder_alone_and_a_log_has_few_lines(run, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 1e6)
    given = ["--data", pairs, "--out", tmp_path / "run", "--device", "cpu"]
    code, output, errors = run("train", "smoke", *given)
    assert code == 0
    assert output == f"{tmp_path / 'run' / 'last'}\n"
    lines = [line.split(":")[0] for line in errors.splitlines()]
    assert lines == [str(pairs), "step 6", "step 12"]  # the first: no val split


def test_an_archive_of_few_people_trains_without_a_val_split(run, rng, tmp_path):
    archive, out = write_archive(tmp_path / "few.npz", rng), tmp_path / "run"
    given = ["--data", archive, "--out", out, "--device", "cpu"]
    code, output, errors = run("train", "smoke", *given)
    assert (code, output) == (0, f"{out / 'last'}\n")
    assert errors.splitlines()[0] == f"{archive}: no val split; no scores, no best/ (--validation)"
    assert load_checkpoint(out / "last").scales == PRESETS["smoke"].model.scales
    assert not (out / "best").exists()
    assert run("train", "smoke", *given, "--resume")[0] == 0


@pytest.mark.parametrize(("correction", "weight"), [("paper", 1.0), ("learned", 0.25)])
def test_a_weight_stays_with_its_own_correction(
    pairs, tiny_config, tiny_model, tmp_path, correction, weight
):
    branch = {"width": 8, "encoder": (1,), "middle": 1, "decoder": (1,)}
    config = dataclasses.replace(
        tiny_config,
        correction=correction,
        weight=0.25,
        corrector=branch if correction == "learned" else None,
    )
    base = LearnIR(tiny_model(config)).save_pretrained(tmp_path / "base")
    adapted = command.adapt(str(base), [pairs], tmp_path / "run", iterations=1, device="cpu")
    found = json.loads((adapted / "config.json").read_text())
    assert (found["correction"], found["weight"]) == ("learned", weight)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--iterations", "0"], "--iterations is at least 1, got 0"),
        (["--pairs", "0"], "--pairs is at least 1, got 0"),
        (["--seed", "-1"], "--seed lies between 0 and"),
        (["--iterations", "1", "--device", "nonsense"], "device 'nonsense' is not available here"),
    ],
)
def test_the_same_of_adapting(run, pairs, checkpoint, tmp_path, options, words):
    given = ["--data", pairs, "--out", tmp_path / "run", "--checkpoint", checkpoint, *options]
    code, _, errors = run("adapt", *given)
    assert code == 2
    assert words in errors
    assert not (tmp_path / "run").exists()


def test_a_stage_can_be_left_out(pairs, tmp_path):
    last = command.train("smoke", [pairs], tmp_path / "run", iterations=[0, 2], device="cpu")
    assert json.loads((last / "training.json").read_text())["step"] == 2


def test_the_named_gpu_is_the_one_that_trains(monkeypatch):
    """Accelerate, which takes the current GPU, is stood in for: no GPU is needed."""
    made, current = [], []
    monkeypatch.setattr(command, "Accelerator", lambda **given: made.append(given))
    monkeypatch.setattr(command, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda _: None)
    for device in ("cuda:1", "cuda", "cpu"):
        command._accelerator(PRESETS["smoke"], device)
    assert current == [torch.device("cuda:1")]
    assert made == [
        {"cpu": False, "mixed_precision": "bf16"},
        {"cpu": False, "mixed_precision": "bf16"},
        {"cpu": True, "mixed_precision": "no"},
    ]
    with pytest.raises(ValueError, match="use 'cpu' or 'cuda'"):
        command._accelerator(PRESETS["smoke"], "mps")


def test_data_without_a_value_says_so(run, tmp_path):
    code, _, errors = run("train", "smoke", "--out", tmp_path / "run", "--data")
    assert code == 2
    assert "--data names nothing" in errors


def test_a_branch_that_is_there_does_not_learn_its_spread(run, pairs, branched, tmp_path):
    config = dataclasses.asdict(branched.config)["corrector"]
    given = ["--data", pairs, "--iterations", 1, "--device", "cpu", "--variance"]
    plain = branched.save_pretrained(tmp_path / "plain")
    words = [*given, "--checkpoint", plain, "--out", tmp_path / "run"]
    code, _, errors = run("adapt", *words)
    assert code == 2
    assert f"{plain}: has a correction branch already" in errors
    assert not (tmp_path / "run").exists()
    spread = dataclasses.replace(branched.config, corrector={**config, "variance": True})
    able = LearnIR(type(branched.model)(spread)).save_pretrained(tmp_path / "able")
    words = [*given, "--checkpoint", able, "--out", tmp_path / "run"]
    code, _, errors = run("adapt", *words)
    assert code == 0, errors
