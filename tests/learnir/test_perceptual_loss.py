import dataclasses
from urllib.error import URLError

import pytest
import torch
import torchvision

from learnir.checkpoint import CheckpointError
from learnir.model import LearnIRModel
from learnir.training.perceptual import FEATURES, lpips_loss
from learnir.training.presets import PRESETS
from learnir.training.step import Draw, TrainStep


@pytest.fixture
def backbone(tmp_path, monkeypatch):
    """A folder with SqueezeNet features of random weights, named as the place to look."""
    torch.manual_seed(0)
    state = torchvision.models.squeezenet1_1(weights=None).features.state_dict()
    torch.save(state, tmp_path / FEATURES)
    monkeypatch.setenv("LEARNIR_LPIPS_WEIGHTS", str(tmp_path))
    return state


def test_the_named_backbone_is_what_judges(backbone):
    loss = lpips_loss()
    assert torch.equal(loss.net.slice1[0].weight, backbone["0.weight"])
    assert torch.equal(loss.net.slice7[0].expand3x3.bias, backbone["12.expand3x3.bias"])
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    assert loss(x, x).abs().max() == 0
    y = (x + 0.2 * torch.randn_like(x)).requires_grad_()
    loss(y, x).mean().backward()
    assert y.grad.abs().max() > 0
    assert not any(p.requires_grad for p in loss.parameters())


@pytest.mark.parametrize("content", [None, b"not weights", {"3.weight": torch.zeros(1)}])
def test_other_files_are_refused_in_one_line(tmp_path, monkeypatch, content):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    monkeypatch.setenv("LEARNIR_LPIPS_WEIGHTS", str(path))
    with pytest.raises(CheckpointError, match=r"weights.pth: not SqueezeNet's features"):
        lpips_loss()


def fetched_as(monkeypatch, answer):
    """Without the variable; torchvision fetches what ``answer`` returns."""
    monkeypatch.delenv("LEARNIR_LPIPS_WEIGHTS", raising=False)
    weights = torchvision.models.SqueezeNet1_1_Weights
    monkeypatch.setattr(weights, "get_state_dict", answer)


def test_without_a_network_one_line_says_what_helps(monkeypatch):
    def offline(self, **options):
        raise URLError("no route to host")

    fetched_as(monkeypatch, offline)
    with pytest.raises(CheckpointError, match=r"^https://\S+squeezenet\S+: cannot be") as raised:
        lpips_loss()
    assert "no route to host" in str(raised.value)
    assert "set LEARNIR_LPIPS_WEIGHTS to this file" in str(raised.value)


def test_what_is_fetched_and_the_file_itself_named_are_the_same_judge(monkeypatch, tmp_path):
    torch.manual_seed(0)
    whole = torchvision.models.squeezenet1_1(weights=None).state_dict()  # its classifier, too
    fetched_as(monkeypatch, lambda self, **options: whole)
    fetched = lpips_loss().state_dict()
    assert torch.equal(fetched["net.slice1.0.weight"], whole["features.0.weight"])
    path = tmp_path / "squeezenet1_1-b8a52dc0.pth"
    torch.save(whole, path)
    monkeypatch.setenv("LEARNIR_LPIPS_WEIGHTS", str(path))
    named = lpips_loss().state_dict()
    assert all(torch.equal(named[name], value) for name, value in fetched.items())


REGRESSION = (0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("t", "every", "step_weights", "last"),
    [(1, 1, None, True), (1, 2, None, True), (2, 1, None, False), (5, 1, REGRESSION, True)],
)
def test_lpips_of_the_result_joins_the_loss_of_the_last_step(
    backbone, t, every, step_weights, last
):
    changes = {"perceptual_every": every, "step_weights": step_weights}
    smoke = dataclasses.replace(PRESETS["smoke"], **changes)
    torch.manual_seed(1)
    model = LearnIRModel(smoke.model)
    y, x = torch.rand(2, 3, 3, 64, 64) * 2 - 1
    draw = Draw(t, (1, 1, 1, 1, 1), rollout=False)

    def loss(weight):
        step = TrainStep(model, dataclasses.replace(smoke, perceptual=weight))
        return step(y, x, draw, "denoiser", torch.Generator().manual_seed(0)), step

    plain, _ = loss(0.0)
    with_lpips, step = loss(0.5)
    R_hat = torch.zeros_like(y)  # an untrained network's
    distances = step.perceptual(y - R_hat, x)
    judged = distances if every == 1 else distances[[0, 2]]
    expected = 0.5 * judged.mean() if last else 0.0
    torch.testing.assert_close(with_lpips - plain, torch.as_tensor(expected), atol=1e-5, rtol=1e-4)
    assert (with_lpips - plain > 0.01) == last
