"""What one training step draws, and what its loss is made of."""

import dataclasses

import numpy as np
import pytest
import torch

from learnir.objective import consistency_loss, gradient_loss
from learnir.process import noise_from_residual
from learnir.resolution import area_mean
from learnir.sampler import sample
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


def test_steps_are_drawn_by_their_weights():
    config = dataclasses.replace(SMOKE, step_weights=(0.1, 0.4, 0.0, 0.2, 0.3))
    rng = np.random.default_rng(1)
    drawn = [draw_step(config, Stage(1), 0, rng).t for _ in range(2000)]
    shares = [drawn.count(t) / 2000 for t in range(1, 6)]
    assert shares == pytest.approx(config.step_weights, abs=0.04)
    assert shares[2] == 0


def test_rollouts_have_their_share_once_they_begin_and_never_at_the_first_step():
    stage, rng = Stage(100, rollout=0.25, rollout_from=50), np.random.default_rng(2)
    early = [draw_step(SMOKE, stage, 49, rng) for _ in range(200)]
    late = [draw_step(SMOKE, stage, 50, rng) for _ in range(2000)]
    assert not any(draw.rollout for draw in early)
    last = len(SMOKE.model.scales)
    assert not any(draw.rollout for draw in late if draw.t == last)
    others = [draw.rollout for draw in late if draw.t < last]
    assert sum(others) / len(others) == pytest.approx(0.25, abs=0.04)


@pytest.fixture
def asked(tiny_model):
    """``asked(draw, **model)``: the model, y and x of a batch, and the z_t and z_y it is given."""

    def compute(draw, **changes):
        config = dataclasses.replace(SMOKE, model=dataclasses.replace(SMOKE.model, **changes))
        step, seen = TrainStep(tiny_model(config.model), config), []
        output = step.model.output

        def watched(z_t, z_y, t, schedule):
            if torch.is_grad_enabled():
                seen.append((z_t, z_y))
            return output(z_t, z_y, t, schedule)

        step.model.output = watched
        generator = torch.Generator().manual_seed(0)
        y, x = torch.rand(2, 2, 3, 32, 32, generator=generator).unbind()
        step(y, x, draw, "denoiser", torch.Generator().manual_seed(1))
        step.model.output = output
        return step.model, y, x, *seen[-1]

    return compute


@pytest.mark.parametrize("t", [2, 4])
def test_a_state_of_the_forward_process_is_trained_on_at_its_scale(asked, t):
    scales = (1, 2, 2, 4, 4)
    model, y, x, z_t, z_y = asked(Draw(t, scales, rollout=False))
    f = scales[t - 1]
    assert torch.equal(z_y, area_mean(y, f))
    eps = noise_from_residual(z_t, z_y, area_mean(y - x, f), t, model.schedule)
    assert float(eps.mean()) == pytest.approx(0, abs=0.15)
    assert float(eps.var()) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    ("correction", "taken"), [("exact", ("exact", 0.4)), ("paper", ("exact", 1.0))]
)
def test_a_rollout_is_trained_on_where_the_sampler_gets(asked, correction, taken):
    """Without a gradient; the printed correction, which forgets the network, is left out."""
    scales = (1, 2, 2, 4, 4)
    model, y, _, z_t, z_y = asked(Draw(2, scales, True), correction=correction, weight=0.4, eta=0.7)
    wanted = sample(
        model,
        y,
        model.schedule,
        scales=scales,
        correction=taken[0],
        weight=taken[1],
        eta=0.7,
        until=2,
        generator=torch.Generator().manual_seed(1),
    )
    assert torch.allclose(z_t, wanted.detach(), atol=1e-6)
    assert torch.equal(z_y, area_mean(y, 2))
    assert wanted.requires_grad
    assert not z_t.requires_grad


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


def test_the_branch_learns_by_how_much_the_denoiser_is_off(tiny_model):
    """R_hat = R - 0.3 everywhere: the branch comes to add 0.3, not to take it away."""
    corrector = {"width": 8, "encoder": (1,), "middle": 1, "decoder": (1,)}
    config = dataclasses.replace(SMOKE, model=dataclasses.replace(SMOKE.model, corrector=corrector))
    model = tiny_model(config.model)
    step, generator = TrainStep(model, config), torch.Generator().manual_seed(0)
    y, x = torch.rand(2, 2, 3, 16, 16, generator=generator).unbind()
    model.residual = lambda *_: (y - x) - 0.3
    draw = Draw(2, (1,) * len(config.model.scales), rollout=False)
    optimiser = torch.optim.Adam(model.corrector.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        loss = step(y, x, draw, "corrector", generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    assert losses[0] == pytest.approx(0.3, rel=1e-3)  # a new branch adds nothing
    assert losses[-1] < 0.05
    z = torch.zeros_like(y)
    g, _ = model.correction(z, y, y - x - 0.3, 2, model.schedule)
    assert float(g.mean()) == pytest.approx(0.3, abs=0.1)
