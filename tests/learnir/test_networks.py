import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from learnir.networks import NETWORKS, Corrector, NAFDenoiser, ResidualUNet, folded
from learnir.training.presets import NAF, SMALL_NAF

SMALL = {
    "naf": {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)},
    "unet": {"width": 8, "multipliers": (1, 2, 4)},
}


def macs(network, pictures, size=256):
    """Counted from shapes, without values."""
    with torch.device("meta"):
        zeros, level = [torch.zeros(1, 3, size, size)] * pictures, torch.ones(1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta")(zeros, level)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(16, 16), (33, 50)])
def test_any_size_in_same_size_out(awake, name, size):
    network = awake(NETWORKS[name](**SMALL[name]))
    z = [torch.randn(2, 3, *size) for _ in range(2)]
    with torch.no_grad():
        assert network(z, torch.tensor([0.5])).shape == (2, 3, *size)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_agree_with_single(awake, name, dtype):
    """float64 as the tests of the process use it, bfloat16 by autocast as the training does."""
    network = awake(NETWORKS[name](**SMALL[name]))
    z, level = [torch.randn(2, 3, 32, 32) for _ in range(2)], torch.tensor([0.5])
    single = network(z, level).detach()
    if dtype == torch.bfloat16:
        with torch.autocast("cpu", dtype=dtype):
            other = network(z, level)
        other.float().square().sum().backward()
    else:
        other = network.double()([x.double() for x in z], level.double())
    close = 1e-4 if dtype == torch.float64 else 0.05
    assert float((other.detach() - single).abs().max() / single.abs().max()) < close


@pytest.mark.parametrize("name", NETWORKS)
def test_starts_at_zero_and_depends_on_every_input(awake, name):
    network = NETWORKS[name](**SMALL[name])
    z = [torch.randn(1, 3, 32, 32, requires_grad=True) for _ in range(2)]
    level = torch.tensor([0.7], requires_grad=True)
    assert float(network(z, level).detach().abs().max()) == 0
    awake(network)(z, level).square().sum().backward()
    assert all(float(g.grad.abs().sum()) > 0 for g in (*z, level))


def test_every_picture_of_a_batch_stands_alone(awake):
    network = awake(NAFDenoiser(**SMALL["naf"]))
    a, b = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32)
    level = torch.tensor([0.9])
    with torch.no_grad():
        both = network([a, b], level)
        one = network([a[1:], b[1:]], level)
    assert torch.allclose(both[1:], one, atol=1e-5)


def test_corrector_starts_at_zero_and_costs_at_most_a_quarter():
    z = [torch.randn(1, 3, 32, 32)] * 3
    assert float(Corrector()(z, torch.ones(1)).detach().abs().max()) == 0
    assert Corrector(variance=True)(z, torch.ones(1)).shape[1] == 6
    for config in (NAF, SMALL_NAF):
        assert macs(Corrector(), 3) <= macs(NAFDenoiser(**config.network_args), 2) / 4


def test_a_branch_with_variance_starts_as_the_exact_step(branched, tiny_model):
    """A log variance of zero would be noise over half of the range."""
    config = branched.model.config
    spread = {**config.corrector, "variance": True}
    model = tiny_model(dataclasses.replace(config, corrector=spread)).eval()
    y = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        exact, learned = (
            model.sample(
                y, correction=name, scales="fixed", generator=torch.Generator().manual_seed(0)
            )
            for name in ("exact", "learned")
        )
    assert 0 < float((learned - exact).std()) < 0.02
    saved = {**model.state_dict(), "corrector.exit.bias": torch.zeros(6 * 16)}
    model.load_state_dict(saved)  # one that was trained before starts from what it had
    assert float(model.corrector.exit.bias.detach().abs().max()) == 0


def test_the_papers_network_has_the_papers_size():
    network = ResidualUNet()
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == pytest.approx(36e6, rel=0.02)
    assert macs(network, 2) == pytest.approx(119e9, rel=0.01)


def test_default_and_correction_branch_fit_sixteen_mebibytes_of_half_precision():
    networks = (NAFDenoiser(**NAF.network_args), Corrector())
    assert 2 * sum(p.numel() for n in networks for p in n.parameters()) < 16 * 2**20


def test_the_gain_carries_texture_that_the_channels_cannot():
    """White noise at half its brightness: 48 independent values a patch, from 8 channels."""
    network = NAFDenoiser(**SMALL["naf"], gain=True)
    with torch.no_grad():
        network.exit.bias[48:] = 0.5
    z_y = torch.rand(1, 3, 32, 32) * 2 - 1
    R = network([torch.zeros_like(z_y), z_y], torch.tensor([0.5]))
    assert torch.allclose(R, (z_y + 1) / 2)


def test_uneven_levels_are_refused():
    with pytest.raises(ValueError, match="levels"):
        NAFDenoiser(encoder=(1, 1), decoder=(1,))


@pytest.mark.parametrize("gain", [False, True])
@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (2, 3, 33, 50)])
def test_folded_for_restoring_gives_the_same(awake, gain, shape):
    network = awake(NAFDenoiser(**SMALL["naf"], top=12, gain=gain)).double()
    fast = folded(network)
    z = [torch.randn(shape, dtype=torch.float64) for _ in range(2)]
    with torch.inference_mode():
        for a_t in (0.9, 0.5, 0.9):  # the constants of each level are kept apart
            level = torch.tensor([a_t])
            torch.testing.assert_close(fast(z, level), network(z, level), rtol=0, atol=1e-12)


def test_a_network_without_a_folded_form_stays_as_it_is():
    network = NETWORKS["unet"](**SMALL["unet"])
    assert folded(network) is network
