"""Steps recorded as CUDA graphs: the same loss and gradients as the steps themselves."""

import pytest
import torch

from learnir.model import LearnIRModel
from learnir.training.presets import PRESETS
from learnir.training.recorded import RecordedSteps
from learnir.training.step import Draw, TrainStep

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_a_recorded_step_is_the_step(tiny_config, awake):
    model = awake(LearnIRModel(tiny_config)).cuda()
    step = TrainStep(model, PRESETS["smoke"])

    def backward(y, x, draw, part, generator):
        loss = step(y, x, draw, part, generator)
        loss.backward()
        return loss.detach()

    parameters = list(model.denoiser.parameters())
    recorded = RecordedSteps(backward, parameters)
    for number, draw in enumerate(
        [Draw(1, (1, 1, 2, 4, 4), True), Draw(3, (1, 1, 1, 2, 2), False)] * 2
    ):
        y, x = (torch.rand(2, 3, 64, 64, device="cuda") * 2 - 1 for _ in range(2))
        loss = recorded(y, x, draw, "denoiser", number)
        gradients = [p.grad.clone() for p in parameters]
        for p in parameters:
            p.grad = None
        plain = backward(y, x, draw, "denoiser", torch.Generator("cuda").manual_seed(number))
        assert torch.equal(loss, plain)
        for gradient, parameter in zip(gradients, parameters, strict=True):
            assert torch.allclose(gradient, parameter.grad, rtol=1e-4, atol=1e-7)
            parameter.grad = None
    assert len(recorded.recordings) == 2
