import dataclasses
import json
import os
import shutil
import signal

import cv2
import numpy as np
import pytest
import torch
from trained_runs import same, state

from learnir.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from learnir.model import LearnIRModel
from learnir.training import command, loop, step
from learnir.training.batches import at_its_resolution
from learnir.training.data import PairError, PairStore, open_pairs, shuffled_indices
from learnir.training.loop import (
    Interrupted,
    TrainingDiverged,
)
from learnir.training.pace import learning_rate
from learnir.training.presets import PRESETS, Stage
from learnir.training.step import Draw


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path, pairs_folder, smoke_run, monkeypatch
):
    report = loop.Run._report

    def interrupt(run, bar, loss, stopped, last):
        if run.step == 7:
            stopped.append(signal.SIGINT)
        report(run, bar, loss, stopped, last)

    monkeypatch.setattr(loop.Run, "_report", interrupt)
    with pytest.raises(Interrupted, match="--resume"):
        command.train("smoke", [pairs_folder], tmp_path / "parts", device="cpu")
    monkeypatch.setattr(loop.Run, "_report", report)
    assert state(tmp_path / "parts")["step"] == 7
    command.train("smoke", [pairs_folder], tmp_path / "parts", resume=True, device="cpu")
    assert same(state(smoke_run), state(tmp_path / "parts"))


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stop_asked_for_during_validation_keeps_the_step(
    tmp_path, pairs_folder, monkeypatch, name
):
    number = getattr(signal, name)
    before = signal.signal(number, signal.default_int_handler)  # may have been ignored
    validate = loop.Run._validate

    def interrupted(run, bar):
        validate(run, bar)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(loop.Run, "_validate", interrupted)
    try:
        with pytest.raises(Interrupted, match="stopped at step 6"):
            command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert state(tmp_path / "run")["step"] == 6  # saved every 4 steps otherwise


def test_no_score_is_shown_before_there_is_one(tmp_path, pairs_folder, monkeypatch):
    shown = []

    def show(_bar, refresh, **known):
        shown.append(sorted(known))

    monkeypatch.setattr(loop.tqdm, "set_postfix", show)
    command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
    assert shown[0] == ["loss"]  # saved before it is first validated
    assert shown[-1] == ["loss", "psnr"]


def test_what_a_run_leaves_behind(tmp_path, pairs_folder, smoke_run):
    last = shutil.copytree(smoke_run, tmp_path / "run") / "last"
    model = load_checkpoint(last)
    config = json.loads((tmp_path / "run" / "train_config.json").read_text())
    record = json.loads((last / "training.json").read_text())
    lines = [json.loads(x) for x in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert config["model"]["network"] == model.config.network
    assert record["seed"] == 0
    assert len(record["data_sha256"]) == 64
    assert any("psnr" in x for x in lines)
    assert any("loss" in x for x in lines)
    scores = {x["step"]: x["psnr"] for x in lines if "psnr" in x}
    best = json.loads((tmp_path / "run" / "best" / "training.json").read_text())
    assert best["step"] == max(scores, key=scores.get)
    load_checkpoint(tmp_path / "run" / "best")
    grids = sorted((tmp_path / "run" / "grids").iterdir())
    assert cv2.imread(str(grids[-1])).shape[1] > 3 * 64
    with pytest.raises(CheckpointError, match="--resume"):
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
    with pytest.raises(CheckpointError, match="seed"):
        command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, seed=1, device="cpu")
    assert json.loads((tmp_path / "run" / "train_config.json").read_text()) == config


def test_training_learns(tmp_path, pairs_folder):
    """A few hundred steps on one kind of shadow: far better than doing nothing."""
    preset = dataclasses.replace(
        PRESETS["smoke"],
        stages=(
            Stage(
                iterations=250,
                size=64,
                batch=4,
                lr=3e-3,
                rollout_from=50,
                view=(0.9, 1),
                clean=0,
            ),
        ),
        warmup=10,
        ema=0.97,
        validate_every=250,
        validation_pairs=8,
    )
    PRESETS["learns"] = preset
    try:
        command.train("learns", [pairs_folder], tmp_path / "run", device="cpu")
    finally:
        del PRESETS["learns"]
    scores = state(tmp_path / "run")["scores"]
    assert scores["psnr"] > scores["psnr_input"] + 3


def test_nan_stops_and_keeps_the_last_good_state(tmp_path, pairs_folder, monkeypatch):
    compute = step.TrainStep.forward

    def poisoned(self, *arguments):
        loss = compute(self, *arguments)
        poisoned.calls += 1
        return loss * float("nan") if poisoned.calls > 5 else loss

    poisoned.calls = 0
    monkeypatch.setattr(step.TrainStep, "forward", poisoned)
    with pytest.raises(TrainingDiverged, match=r"last good weights .*--init"):
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
    kept = state(tmp_path / "run")
    assert kept["step"] == 4
    assert all(v.isfinite().all() for v in kept["model"].values())


def test_a_gradient_that_is_no_number_stops_the_run_too(tmp_path, pairs_folder, monkeypatch):
    backward = loop.Run._backward

    def poisoned(self, *arguments):
        loss = backward(self, *arguments)
        if self.step == 7:  # the eighth, after which the run saves
            next(self.model.denoiser.parameters()).grad[:] = float("nan")
        return loss

    monkeypatch.setattr(loop.Run, "_backward", poisoned)
    with pytest.raises(TrainingDiverged, match=r"last good weights"):
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
    assert state(tmp_path / "run")["step"] == 4


def test_nan_before_anything_was_saved_names_no_weights(tmp_path, pairs_folder, monkeypatch):
    compute = step.TrainStep.forward
    monkeypatch.setattr(step.TrainStep, "forward", lambda *a: compute(*a) * float("nan"))
    with pytest.raises(TrainingDiverged, match=r"--precision fp32") as caught:
        command.train("smoke", [pairs_folder], tmp_path / "run", device="cpu")
    assert "--init" not in str(caught.value)
    assert not (tmp_path / "run" / "last").exists()


def test_adapting_trains_the_branch_and_leaves_the_denoiser_alone(
    tmp_path, pairs_folder, smoke_run
):
    frozen = smoke_run / "last"
    adapted = command.adapt(
        frozen,
        [pairs_folder],
        tmp_path / "adapted",
        pairs=4,
        iterations=3,
        variance=True,
        device="cpu",
    )
    before, after = load_checkpoint(frozen), load_checkpoint(adapted)
    assert after.config.correction == "learned"
    assert after.config.corrector == {
        "width": after.corrector.entrance.out_channels,
        "variance": True,
    }
    assert same(before.denoiser.state_dict(), after.denoiser.state_dict())
    assert float(after.corrector.exit.weight.detach().abs().max()) > 0
    y = torch.rand(1, 3, 32, 32) * 2 - 1
    assert after.sample(y).isfinite().all()


def test_a_short_fit_reaches_its_learning_rate(tmp_path, pairs_folder, smoke_run, monkeypatch):
    """And learns the new camera's light as it is, drawn anew in nothing but its frame."""
    frozen, runs = smoke_run / "last", []
    monkeypatch.setattr(command, "_run", lambda config, *_: runs.append(config))
    command.adapt(frozen, [pairs_folder], tmp_path / "adapted", iterations=250, device="cpu")
    (config,) = runs
    (stage,) = config.stages
    rates = [learning_rate(stage.lr, step, step / 250, config.warmup) for step in range(250)]
    assert max(rates) > 0.9 * stage.lr
    assert config.augment == "geometric"


def test_a_run_older_than_an_option_resumes(tmp_path, pairs_folder, smoke_run):
    saved = state(shutil.copytree(smoke_run, tmp_path / "run"))
    del saved["config"]["turn"], saved["config"]["stages"][0]["coarse"]
    del saved["config"]["model"]["mirror"]
    torch.save(saved, tmp_path / "run" / "state.pt")
    command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu")
    saved["config"]["gone"] = 1
    torch.save(saved, tmp_path / "run" / "state.pt")
    with pytest.raises(CheckpointError, match="gone"):
        command.train("smoke", [pairs_folder], tmp_path / "run", resume=True, device="cpu")


@pytest.mark.parametrize(
    "scales", [(1, 1, 2, 4, 4), (1, 2, 4, 2, 1), (1, 1, 1, 1, 1), (2, 3, 6, 6)]
)
@pytest.mark.parametrize("rollout", [False, True])
def test_pairs_are_read_at_the_resolution_of_their_step(scales, rollout):
    stage = Stage(iterations=1, size=48, batch=3, coarse=4)
    for t in range(1, len(scales) + 1):
        own, draw, batch = at_its_resolution(stage, Draw(t, scales, rollout))
        f = stage.size // own.size
        needed = range(t, len(scales) + 1) if rollout else [t]
        assert all(scales[u - 1] == f * draw.scales[u - 1] for u in needed)
        assert f > 1 or 1 in {scales[u - 1] for u in needed} or scales == (2, 3, 6, 6)
        assert batch == (12 if f > 1 else 3)
        assert (draw.t, draw.rollout) == (t, rollout)


def test_larger_coarse_batches_resume_bit_for_bit(tmp_path, pairs_folder):
    smoke = PRESETS["smoke"]
    stages = tuple(dataclasses.replace(s, coarse=3, rollout=0.5) for s in smoke.stages)
    config = dataclasses.replace(smoke, stages=stages, turn=20.0)
    assert stages[0].pairs == 3 * 2 * 8
    command.train(config, [pairs_folder], tmp_path / "whole", device="cpu")
    half = dataclasses.replace(config, stages=(stages[0],))
    command.train(half, [pairs_folder], tmp_path / "half", device="cpu")
    begun = state(tmp_path / "half")
    torch.save({**begun, "config": config.to_json()}, tmp_path / "half" / "state.pt")
    command.train(config, [pairs_folder], tmp_path / "half", resume=True, device="cpu")
    whole, half = state(tmp_path / "whole"), state(tmp_path / "half")
    assert same(whole["model"], half["model"])
    assert same(whole["optimizer"], half["optimizer"])


def test_a_deeper_network_with_gain_starts_as_the_shallow_one(tmp_path, pairs_folder, tiny_config):
    shallow = LearnIRModel(tiny_config)
    torch.nn.init.normal_(shallow.denoiser.exit.weight, std=0.05)
    save_checkpoint(tmp_path / "shallow", shallow)
    deeper = {**tiny_config.network_args, "encoder": (1, 2), "middle": 3, "gain": True}
    config = dataclasses.replace(
        PRESETS["smoke"],
        model=dataclasses.replace(tiny_config, network_args=deeper),
        stages=(Stage(iterations=1, size=32, batch=2, lr=0.0),),
    )
    out = command.train(
        config, [pairs_folder], tmp_path / "deep", init=str(tmp_path / "shallow"), device="cpu"
    )
    deep, shallow = load_checkpoint(out), load_checkpoint(tmp_path / "shallow")
    y = torch.rand(1, 3, 32, 32) * 2 - 1
    noise = {"generator": torch.Generator().manual_seed(0)}
    a = deep.sample(y, **noise)
    noise["generator"].manual_seed(0)
    assert torch.allclose(a, shallow.sample(y, **noise), atol=1e-5)
    assert sum(p.numel() for p in deep.parameters()) > sum(p.numel() for p in shallow.parameters())
    other = dataclasses.replace(tiny_config, network_args={**tiny_config.network_args, "width": 6})
    with pytest.raises(CheckpointError, match="another network"):
        command.train(
            dataclasses.replace(config, model=other),
            [pairs_folder],
            tmp_path / "wide",
            init=str(tmp_path / "shallow"),
            device="cpu",
        )


def test_turned_views_turn_input_and_target_alike(pairs_folder):
    store = PairStore(open_pairs(pairs_folder, "all"), 64)
    store.pictures = [(x, x) for _, x in store.pictures]
    straight, turned = (
        store.batch([0, 1, 2], 48, (0.6, 0.8), np.random.default_rng(1), turn) for turn in (0.0, 30)
    )
    assert np.array_equal(*turned)
    assert not np.array_equal(straight[0], turned[0])
    assert np.abs(straight[0].mean((1, 2)) - turned[0].mean((1, 2))).max() < 12


def test_every_epoch_shows_every_pair_once(pairs_folder):
    pairs = open_pairs(pairs_folder, "all")
    store = PairStore(pairs, 64)
    assert sorted(shuffled_indices(12, 0, 12, 5)) == list(range(12))
    assert sorted(shuffled_indices(12, 12, 12, 5)) == list(range(12))
    assert shuffled_indices(12, 0, 12, 5) != shuffled_indices(12, 12, 12, 5)
    a, b = (store.batch([3, 4], 32, (0.5, 1), np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(a[0], b[0])
    assert a[0].shape == (2, 32, 32, 3)


def test_plain_folders_hold_out_by_name(pairs_folder):
    train, val = (open_pairs(pairs_folder, split) for split in ("train", "val"))
    assert [p.name for p in val] == ["03"]  # the one name that hashes below 5 %
    assert [p.name for p in train] == [f"{i:02d}" for i in range(12) if i != 3]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "input" / "00.png").unlink(), "without a partner"),
        (lambda f: (f / "target").rename(f / "clean"), "missing"),
        (lambda f: [p.unlink() for p in f.rglob("*.png")], "no picture"),
    ],
)
def test_bad_folders_get_one_clear_line(tmp_path, pairs_folder, damage, words):
    folder = shutil.copytree(pairs_folder, tmp_path / "pairs")
    damage(folder)
    with pytest.raises(PairError) as caught:
        open_pairs(folder, "all")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_folder_and_unequal_sizes(tmp_path, pairs_folder):
    with pytest.raises(PairError, match="no such folder"):
        open_pairs(tmp_path / "nowhere")
    with pytest.raises(PairError, match="neither"):
        open_pairs(tmp_path)
    folder = shutil.copytree(pairs_folder, tmp_path / "pairs")
    cv2.imwrite(str(folder / "input" / "00.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(PairError, match="input is"):
        open_pairs(folder, "all")[0].load()
