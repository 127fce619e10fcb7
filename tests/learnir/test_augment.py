"""What training changes about its pairs: photometry, turns, colour, and mosaics of several."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from learnir.training import command
from learnir.training.augment import (
    DARK,
    Photometry,
    clean_some,
    deepest_power,
    fade_some,
    from_linear,
    lay_mosaics,
    redraw_photometry,
    to_linear,
    turn_some,
)
from learnir.training.presets import PRESETS


def test_a_share_of_the_pairs_has_no_shadow():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.zeros(400, 3, 2, 2), torch.ones(400, 3, 2, 2)
    for share in (0.0, 0.25, 1.0):
        observed, target = clean_some(y, x, share, generator)
        assert torch.equal(target, x)
        assert abs(float((observed == 0).float().mean()) - share) < 0.07
        assert torch.equal(observed, observed[:, :1, :1, :1].expand_as(observed))


def test_photometry_keeps_clean_pixels_clean_and_loses_the_shadow_when_told():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4, 3, 16, 16, generator=generator) * 1.6 - 0.8
    y = x.clone()
    y[..., :8] = from_linear(to_linear(x[..., :8]) * 0.4)
    y2, x2 = redraw_photometry(y, x, 0.0, generator)
    assert torch.allclose(y2[..., 8:], x2[..., 8:], atol=1e-5)
    assert bool((y2[..., :8] <= x2[..., :8] + 1e-5).all())
    assert float((x2 - y2)[..., :8].mean()) > 0.1
    y3, x3 = redraw_photometry(y, x, 1.0, generator)
    assert torch.allclose(y3, x3, atol=1e-5)


def test_no_shadow_becomes_darker_than_black_cloth():
    generator = torch.Generator().manual_seed(0)
    x = torch.full((64, 3, 8, 8), 0.6)
    y = from_linear(to_linear(x) * 0.15)
    ranges = Photometry(depth=(0.8, 2.0), darkest=0.1, drift=0, hue=0)
    y2, x2 = redraw_photometry(y, x, 0.0, generator, ranges)
    gain = to_linear(y2) / to_linear(x2)
    assert 0.09 < float(gain.min()) < 0.105  # DARK is added on both sides of the ratio
    assert float(gain.max()) > 0.15


def test_a_shadow_made_as_deep_as_it_may_be_keeps_its_shape_and_colour():
    """What the bound holds back is the power, one for the picture: nothing is levelled."""
    generator = torch.Generator().manual_seed(0)
    x = torch.full((64, 3, 16, 16), 0.6)
    depth = torch.linspace(0.3, 1.8, 16) * torch.tensor([1.1, 1.0, 0.8]).view(3, 1, 1)
    y = from_linear(to_linear(x) * (-depth).exp())
    ranges = Photometry(depth=(3.0, 4.0), darkest=0.1, drift=0, hue=0)
    y2, x2 = redraw_photometry(y, x, 0.0, generator, ranges)
    logs = -((to_linear(y2) + DARK) / (to_linear(x2) + DARK)).log()
    before = -((to_linear(y) + DARK) / (to_linear(x) + DARK)).log()
    assert torch.allclose(logs / logs[:, :, :1, :1], before / before[:, :, :1, :1], rtol=1e-3)
    assert float(logs.mean(1).max()) == pytest.approx(-np.log(0.1), rel=1e-3)


def test_the_deepest_power_against_sorting():
    generator = torch.Generator().manual_seed(0)
    gain = torch.rand(3, 3, 20, 20, generator=generator) * 0.8 + 0.1
    gain[2] = 1.0
    found = deepest_power(gain, 0.05).view(-1)
    for one, power in zip(gain[:2], found, strict=False):
        mean = np.sort(one.numpy().astype(np.float64).prod(0).ravel() ** (1 / 3))
        assert mean[400 // 50] ** float(power) == pytest.approx(0.05, rel=1e-4)
    assert float(found[2]) > 1e5  # no shadow, no bound
    assert bool(torch.isinf(deepest_power(gain, 0.0)).all())


def test_a_flat_shadow_drifts_over_the_face_and_from_channel_to_channel():
    """log gain / its mean: deviations in space and between channels as asked for."""
    generator = torch.Generator().manual_seed(0)
    x = torch.full((256, 3, 32, 32), 0.0)
    y = from_linear(to_linear(x) * 0.4)
    ranges = Photometry(depth=(1, 1), darkest=0, drift=0.1, hue=0.04)
    y2, x2 = redraw_photometry(y, x, 0.0, generator, ranges)
    depth = (to_linear(y2) / to_linear(x2)).log() / np.log(0.4)
    space, channels = depth.mean(1), depth.mean((2, 3))
    corners = space[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert float(corners.std()) == pytest.approx(0.1, rel=0.2)
    assert float((channels[:, 0] - channels[:, 2]).std()) == pytest.approx(0.04 * 2**0.5, rel=0.2)
    assert float(depth.mean()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("what", ["exposure", "warmth", "contrast"])
def test_light_changes_as_asked_for_on_input_and_target_alike(what):
    """Each range alone, of a picture of two greys: both of its ends are reached, none is passed."""
    still = Photometry(depth=(1, 1), darkest=0, drift=0, hue=0, exposure=0, warmth=0)
    still = dataclasses.replace(still, contrast=(1, 1))
    low, high = (0.8, 1.3) if what == "contrast" else (-0.3, 0.3)
    ranges = dataclasses.replace(still, **{what: (low, high) if what == "contrast" else high})
    before = torch.tensor([0.2, 0.5]).expand(400, 3, 2, 2)
    y = from_linear((before + DARK) * 0.5 - DARK)
    generator = torch.Generator().manual_seed(0)
    y2, x2 = redraw_photometry(y, from_linear(before), 0.0, generator, ranges)
    after = to_linear(x2)
    assert torch.allclose((to_linear(y2) + DARK) / (after + DARK), torch.tensor(0.5), atol=1e-4)
    factors = after / before
    red, green, blue = factors[..., 0].mean(2).unbind(1)
    if what == "exposure":
        drawn = factors.log2()
        assert torch.allclose(drawn, drawn[:, :1, :1, :1].expand_as(drawn), atol=1e-4)
    elif what == "warmth":
        drawn = red - 1
        assert torch.allclose(blue - 1, -drawn, atol=1e-4)
        assert torch.allclose(green, torch.ones(400), atol=1e-4)
    else:
        drawn = after.log() / before.log()
        assert torch.allclose(drawn, drawn[:, :1, :1, :1].expand_as(drawn), atol=1e-4)
    assert float(drawn.min()) == pytest.approx(low, abs=0.02)
    assert float(drawn.max()) == pytest.approx(high, abs=0.02)


def test_no_pixel_comes_below_half_of_the_darkest_gain():
    """The bound is on the deepest fiftieth; single pixels below it are held at a half."""
    generator = torch.Generator().manual_seed(0)
    light, gain = torch.full((8, 3, 16, 16), 0.6), torch.full((8, 3, 16, 16), 0.2)
    gain[..., 0, 0] = 0.02
    ranges = Photometry(depth=(3, 3), darkest=0.1, drift=0, hue=0)
    y = from_linear((light + DARK) * gain - DARK)
    y2, x2 = redraw_photometry(y, from_linear(light), 0.0, generator, ranges)
    found = (to_linear(y2) + DARK) / (to_linear(x2) + DARK)
    assert found[..., 0, 0].flatten().tolist() == pytest.approx([0.05] * 24, rel=1e-2)
    assert found[..., 1:, :].flatten().tolist() == pytest.approx([0.1] * 8 * 720, rel=1e-2)


def halved(picture):
    """The mean of every 2 x 2 pixels of (C, H, W)."""
    return sum(picture[:, i::2, j::2] for i, j in product((0, 1), (0, 1))) / 4


def found(mosaic, halves):
    """Which halves lie at the four places of a mosaic, over all ways of moving it round."""
    _, H, W = mosaic.shape
    for way in product(range(H), range(W)):
        back = torch.roll(mosaic, way, dims=(1, 2))
        quarters = [back[:, top:, left:] for top, left in product((0, H // 2), (0, W // 2))]
        tiles = [
            [i for i, half in enumerate(halves) if torch.allclose(half, q[:, : H // 2, : W // 2])]
            for q in quarters
        ]
        if all(tiles):
            return way, tiles
    return None


def test_a_mosaic_holds_four_pairs_at_half_size_and_the_others_stay():
    generator = torch.Generator().manual_seed(0)
    y, x = torch.randn(2, 12, 3, 6, 8, generator=generator).unbind()
    y2, x2 = lay_mosaics(y, x, 0.25, generator)
    replaced = [i for i in range(12) if not torch.equal(y2[i], y[i])]
    assert len(replaced) == 3
    ways = set()
    for i in range(12):
        if i not in replaced:
            assert torch.equal(x2[i], x[i])
            continue
        in_y = found(y2[i], list(map(halved, y)))
        assert in_y is not None
        assert in_y == found(x2[i], list(map(halved, x)))  # input and target alike
        ways.add(in_y[0])
    assert len(ways) > 1


def test_seams_and_tiles_lie_anywhere():
    generator = torch.Generator().manual_seed(0)
    x = torch.arange(8.0)[:, None, None, None].expand(8, 3, 4, 4)
    drawn = torch.cat([lay_mosaics(x, x, 1.0, generator)[1] for _ in range(50)])
    assert float((drawn[:, 0, 1, 1] != drawn[:, 0, 1, 2]).float().mean()) == pytest.approx(
        0.5 * 7 / 8, abs=0.08
    )  # a seam between these two columns half of the time, and other pictures beyond it
    assert set(drawn[:, 0, 0, 0].tolist()) == set(range(8))


def test_a_share_of_the_pairs_is_turned_by_quarters():
    generator = torch.Generator().manual_seed(0)
    y, x = torch.randn(2, 600, 3, 4, 4, generator=generator).unbind()
    y2, x2 = turn_some(y, x, 0.5, generator)
    ways = []
    for i in range(600):
        (k,) = (k for k in range(4) if torch.equal(y2[i], y[i].rot90(k, (1, 2))))
        assert torch.equal(x2[i], x[i].rot90(k, (1, 2)))  # input and target alike
        ways.append(k)
    assert ways.count(0) / 600 == pytest.approx(0.5, abs=0.06)
    assert [ways.count(k) / 600 for k in (1, 2, 3)] == pytest.approx([1 / 6] * 3, abs=0.05)


def test_a_share_of_the_pairs_fades():
    """By one mixture of the channels and one tone, in input and target; the others stay."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.rand(2, 900, 3, 6, 6, generator=generator).unbind()
    y2, x2 = (pair * 0.5 + 0.5 for pair in fade_some(y * 2 - 1, x * 2 - 1, 0.5, generator))
    stays = (torch.stack([y2, x2]) - torch.stack([y, x])).abs().amax(dim=(0, 2, 3, 4)) < 1e-6
    assert float(stays.float().mean()) == pytest.approx(0.5, abs=0.05)
    grey = 0
    for i in range(900):
        if stays[i]:
            continue
        before = torch.cat([y[i].flatten(1), x[i].flatten(1)], dim=1)  # (3, 72)
        after = torch.cat([y2[i].flatten(1), x2[i].flatten(1)], dim=1)
        mixture = torch.linalg.lstsq(before.T, after.T).solution.T  # after = mixture before
        assert torch.allclose(mixture @ before, after, atol=1e-4)
        whole = mixture.sum(dim=1)  # what becomes of white
        assert 0.55 < float(whole.min()) <= float(whole.max()) < 1 + 1e-4
        grey += int(torch.linalg.matrix_rank(mixture, rtol=1e-3) == 1)
    assert grey / int((~stays).sum()) == pytest.approx(2 / 3, abs=0.07)  # no colour of its own


@pytest.mark.parametrize(
    ("option", "change"),
    [("mosaic", "lay_mosaics"), ("turned", "turn_some"), ("faded", "fade_some")],
)
def test_training_changes_its_share_of_the_pairs(
    tmp_path, pairs_folder, monkeypatch, option, change
):
    shares = []

    def record(y, x, share, generator):
        shares.append(share)
        return y, x

    monkeypatch.setattr(f"learnir.training.sources.{change}", record)
    for share, expected in ((0.0, []), (0.5, [0.5] * 12)):
        config = dataclasses.replace(PRESETS["smoke"], **{option: share})
        shares.clear()
        command.train(config, [pairs_folder], tmp_path / str(share), device="cpu")
        assert shares == expected
