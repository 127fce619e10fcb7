"""Scripts that average, ship and score weights, on tiny ones."""

from __future__ import annotations

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from learnir.checkpoint import load_checkpoint, read_training, save_checkpoint
from learnir.model import LearnIRModel
from learnir.training.data import Pair

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scripts(monkeypatch):
    """The modules of scripts/ that this file is about."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import average_weights
    import score_weights
    import ship_weights

    return SimpleNamespace(average=average_weights, score=score_weights, ship=ship_weights)


@pytest.fixture
def run(monkeypatch):
    """``run(module, *words)``: its main, as from a command line."""

    def call(module, *words):
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
        module.main()

    return call


def trained(folder, network, seed, **record):
    torch.manual_seed(seed)
    model = LearnIRModel(network)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return save_checkpoint(folder, model, {"seed": seed, **record})


def test_an_average_is_of_every_weight_by_its_share(scripts, run, tiny_config, tmp_path):
    first, second = (trained(tmp_path / f"{seed}", tiny_config, seed) for seed in (1, 2))
    run(scripts.average, first, second, "--share", 0.25, "--out", tmp_path / "mixed")
    one, other, mixed = (
        load_checkpoint(folder).state_dict() for folder in (first, second, tmp_path / "mixed")
    )
    for name, weight in mixed.items():
        assert torch.allclose(weight, 0.75 * one[name] + 0.25 * other[name], atol=3e-3), name
    assert read_training(tmp_path / "mixed")["seed"] == 1


def test_weights_of_another_network_are_not_averaged(scripts, run, tiny_config, tmp_path):
    wide = dataclasses.replace(tiny_config, network_args={**tiny_config.network_args, "width": 16})
    first, second = trained(tmp_path / "a", tiny_config, 1), trained(tmp_path / "b", wide, 2)
    with pytest.raises(SystemExit, match="another network than that of"):
        run(scripts.average, first, second, "--share", 0.25, "--out", tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


WORDS = ["--data", "faces", "--trained-on", "few", "--build", "build it", "--command", "train it"]


def test_shipped_weights_say_what_led_to_them(scripts, run, tiny_config, tmp_path, monkeypatch):
    there = tmp_path / "weights"
    monkeypatch.setattr(scripts.ship, "SHIPPED", there)
    made = {"config": {"lr": 1}, "step": 12, "pairs": 3, "command": "/home/me/train"}
    runs = [trained(tmp_path / str(k), tiny_config, k, **made) for k in range(3)]
    run(scripts.ship, runs[0], *WORDS)
    assert read_training(there)["earlier_runs"] == []
    run(scripts.ship, runs[2], *WORDS, "--from-shipped", "--after", runs[1], "--mirror")
    record = read_training(there)
    told = {"config": {"lr": 1}, "step": 12, "pairs": 3}
    assert record["earlier_runs"] == [told, told]  # shipped, then --after
    assert (record["seed"], record["command"], record["data"]) == (2, "train it", "faces")
    assert (record["data_command"], record["trained_on"]) == ("build it", "few")
    assert json.loads((there / "config.json").read_text())["mirror"] is True
    weights = (folder / "model.safetensors" for folder in (there, runs[2]))
    assert len({path.read_bytes() for path in weights}) == 1


def test_weights_that_are_too_large_are_not_shipped(
    scripts, run, tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(scripts.ship, "SHIPPED", tmp_path / "weights")
    monkeypatch.setattr(scripts.ship, "LIMIT", 1000)
    with pytest.raises(SystemExit, match="at most 1000 may be shipped"):
        run(scripts.ship, trained(tmp_path / "a", tiny_config, 1), *WORDS)
    assert not (tmp_path / "weights").exists()


def grey(value: int) -> np.ndarray:
    return np.full((40, 40, 3), value, np.uint8)


def pair(name: str, before: int, after: int) -> Pair:
    files = (cv2.imencode(".png", grey(value))[1].tobytes() for value in (before, after))
    read_input, read_target = (partial(bytes, data) for data in files)
    return Pair(name, read_input, read_target)


def test_scores_are_means_of_inputs_and_of_results(scripts, monkeypatch, capsys):
    from benchmarks.perceptual import MetricUnavailable

    def missing(*_):
        raise MetricUnavailable("no weights")

    monkeypatch.setattr(scripts.score, "lpips", missing)
    asked = []

    def restore(picture, **how):
        asked.append(how)
        return SimpleNamespace(picture=picture + np.uint8(10))

    row, pictures = scripts.score.compare(
        SimpleNamespace(restore=restore),
        [pair("a", 90, 100), pair("b", 95, 110)],
        40,
        {"scales": "fixed"},
    )
    of = {off: 20 * np.log10(255 / off) for off in (5, 10, 15)}
    assert row["pairs"] == 2
    assert row["input"]["psnr"] == pytest.approx((of[10] + of[15]) / 2)
    assert row["restored"]["psnr"] == pytest.approx((80 + of[5]) / 2)  # identical ones are 80 dB
    assert row["restored"]["ssim"] > row["input"]["ssim"]
    assert "lpips_alex" not in row["input"]
    assert "no LPIPS: no weights" in capsys.readouterr().out
    assert asked == 2 * [{"seed": 0, "faces": False, "scales": "fixed"}]
    assert [[int(p[0, 0, 0]) for p in trio] for trio in pictures] == [
        [90, 100, 100],
        [95, 105, 110],
    ]


def test_pairs_without_a_shadow_are_told_from_the_others(scripts):
    shadowed, clean = scripts.score.split_by_shadow([pair("a", 50, 100), pair("b", 100, 100)])
    assert [one.name for one in shadowed] == ["a"]
    assert [one.name for one in clean] == ["b"]
    (copy,) = scripts.score.clean_copies(shadowed)
    assert all(np.array_equal(picture, grey(100)) for picture in copy.load())
