"""How far a run is, by its steps and along the clock."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
from trained_runs import state

from learnir.training import command, loop, pace
from learnir.training.pace import Clock, Steps, learning_rate, pace_of
from learnir.training.presets import PRESETS, Stage

SMOKE = PRESETS["smoke"]  # stages of 8 and 4 steps, of two pairs each
MINUTE = dataclasses.replace(SMOKE, minutes=1.0)  # 40 and 20 seconds


class Hand:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def hand():
    return Hand()


def test_learning_rate_warms_up_and_falls_to_zero():
    rates = [learning_rate(1.0, i, i / 100, 10) for i in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) <= 1
    assert rates[-1] < 1e-3
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert learning_rate(0.4, 50, 0.5, 10) == pytest.approx(0.2)


def test_stages_follow_one_another():
    steps = pace_of(SMOKE)
    assert isinstance(steps, Steps)
    assert steps.at(7)[:2] == (SMOKE.stages[0], 0)
    assert steps.at(8) == (SMOKE.stages[1], 8, 16)
    assert (steps.share(7), steps.share(8)) == (7 / 8, 0.0)
    assert [steps.over(step) for step in (11, 12)] == [False, True]
    with pytest.raises(IndexError):
        steps.at(12)


def test_stages_share_the_time_as_they_would_share_the_steps(hand):
    clock = Clock(MINUTE, hand)
    clock.start(0)
    for step in range(7):  # six seconds each
        assert clock.at(step) == (MINUTE.stages[0], 0, 0)
        assert clock.share(step) == pytest.approx(6 * step / 40)
        assert clock.done(step) == 6 * step
        hand.time += 6
    assert clock.at(7) == (MINUTE.stages[1], 7, 14)  # 42 seconds, 7 steps of two pairs
    assert clock.share(7) == pytest.approx(0.1)
    hand.time += 12
    assert clock.at(8) == (MINUTE.stages[1], 7, 14)
    assert clock.at(3) == (MINUTE.stages[0], 0, 0)  # what was said once stays
    assert not clock.over(9)
    hand.time += 6
    assert clock.over(9)
    assert clock.share(9) == 1


def test_a_stage_whose_time_passed_unasked_has_no_steps(hand):
    stages = tuple(Stage(iterations=n, batch=2) for n in (30, 10, 20))
    clock = Clock(dataclasses.replace(SMOKE, stages=stages, minutes=1.0), hand)
    clock.start(0)
    clock.at(0)
    hand.time += 45  # as a validation takes
    assert clock.at(1) == (stages[2], 1, 2)


def test_time_before_a_run_is_resumed_counts_and_time_between_does_not(hand):
    before = Clock(MINUTE, hand)
    hand.time += 500  # loading
    before.start(0)
    for step in range(6):
        before.at(step)
        hand.time += 9
    saved = json.loads(json.dumps(before.state()))  # 54 seconds; the second stage from step 5 on
    hand.time += 3600
    after = Clock(MINUTE, hand)
    after.restore(saved)
    after.start(6)
    assert after.seconds == pytest.approx(54)
    assert after.at(6) == (MINUTE.stages[1], 5, 10)
    hand.time += 6
    assert after.over(7)


def test_a_stage_that_only_batches_ahead_had_reached_begins_anew(hand):
    clock = Clock(MINUTE, hand)
    clock.restore({"seconds": 41.0, "began": [[0, 0], [9, 18]]})
    clock.start(4)  # the state is of step 4
    assert clock.at(4) == (MINUTE.stages[1], 4, 8)


def test_a_run_along_the_clock_stops_in_time_and_resumes(tmp_path, pairs_folder, monkeypatch):
    hand = Hand()
    monkeypatch.setattr(pace.Clock.__init__, "__defaults__", (hand,))
    optimise, rates = loop.Run.optimise, []

    def timed(run, *given):
        out = optimise(run, *given)
        rates.append(run.optimizer.param_groups[0]["lr"])
        hand.time += 6
        if len(rates) == 4:
            raise RuntimeError("the power failed")
        return out

    monkeypatch.setattr(loop.Run, "optimise", timed)
    config = dataclasses.replace(MINUTE, save_every=3)
    with pytest.raises(RuntimeError, match="power"):
        command.train(config, [pairs_folder], tmp_path / "run", device="cpu")
    assert state(tmp_path / "run")["pace"]["seconds"] == pytest.approx(18)
    command.train(config, [pairs_folder], tmp_path / "run", device="cpu", resume=True)
    saved = state(tmp_path / "run")
    assert (saved["step"], saved["pace"]["seconds"]) == (10, pytest.approx(60))
    assert rates[2] > rates[5] > 0  # falls along the clock
    record = json.loads((tmp_path / "run" / "last" / "training.json").read_text())
    assert np.array_equal(record["pace"]["began"], saved["pace"]["began"])
    assert len(record["pace"]["began"]) == 2
    assert "psnr" in record["validation"]  # it was validated at its end
    command.train(config, [pairs_folder], tmp_path / "run", device="cpu", resume=True)
    assert len(rates) == 4 + 7  # nothing is left to do


@pytest.mark.parametrize("minutes", ["0", "-3", "nan", "1e9"])
def test_minutes_that_make_no_sense(pairs_folder, tmp_path, minutes):
    with pytest.raises(ValueError, match="--minutes"):
        command.train("smoke", [pairs_folder], tmp_path / "run", minutes=float(minutes))


def test_minutes_are_for_one_process(pairs_folder, tmp_path):
    with pytest.raises(ValueError, match="one process"):
        command.train("smoke", [pairs_folder], tmp_path / "run", minutes=1.0, processes=2)
