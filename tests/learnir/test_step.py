"""What one training step draws, and what its loss is made of."""

import dataclasses

import numpy as np
import pytest
import torch

from learnir.objective import consistency_loss, gradient_loss
from learnir.training.presets import PRESETS, Stage
from learnir.training.step import Draw, TrainStep, draw_step

SMOKE = PRESETS["smoke"]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_batches_is_at_full_size(share):
    rng = np.random.default_rng(0)
    stage = Stage(1, fixed=share)
    drawn = [draw_step(SMOKE, stage, 0, rng).scales for _ in range(400)]
    full = (1,) * len(SMOKE.model.scales)
    assert set(drawn) <= {full, SMOKE.model.scales}
    assert drawn.count(full) / 400 == pytest.approx(share, abs=0.08)


@pytest.fixture
def loss_of(tiny_model):
    """``loss_of(**config)``: the loss of one and the same batch at t = 2, and of what."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.rand(2, 2, 3, 32, 32, generator=generator).unbind()

    def compute(**changes):
        config = dataclasses.replace(SMOKE, **changes)
        step = TrainStep(tiny_model(config.model), config)
        seen = {}
        output = step.model.output

        def watched(z_t, z_y, t, schedule):
            seen.update(z_t=z_t, z_y=z_y)
            return output(z_t, z_y, t, schedule)

        step.model.output = watched
        draw = Draw(2, (1,) * len(config.model.scales), rollout=False)
        generator = torch.Generator().manual_seed(1)
        loss = step(y, x, draw, "denoiser", generator)
        model, schedule = step.model, step.model.schedule
        R_hat = model.residual(seen["z_t"], seen["z_y"], 2, schedule)
        return float(loss), R_hat, y - x, seen, schedule

    return compute


def test_edges_left_behind_count_by_their_weight(loss_of):
    without, R_hat, R, *_ = loss_of(gradient_weight=0.0)
    with_term, *_ = loss_of(gradient_weight=0.7)
    expected = 0.7 * float(gradient_loss(R_hat - R))
    assert expected > 1e-2
    assert with_term - without == pytest.approx(expected, rel=1e-4)


def test_consistency_counts_by_lambda(loss_of):
    model = dataclasses.replace(SMOKE.model, correction="exact")
    without, R_hat, R, seen, schedule = loss_of(lam=0.0, model=model)
    with_term, *_ = loss_of(lam=0.4, model=model)
    term = consistency_loss(R_hat, seen["z_t"], seen["z_y"], R, 2, schedule, "exact", 1.0)
    assert float(term) > 1e-3
    assert with_term - without == pytest.approx(0.4 * float(term), rel=1e-4)
