import pytest
import torch

from learnir.resolution import (
    area_mean,
    check_scales,
    coarsen_noise,
    common_multiple,
    cross,
    drm_scales,
    pad_to_multiple,
    refine_noise,
    relative_cost,
    resolve_scales,
    scale_at,
    upsample,
    white,
)


def test_defaults_and_costs_of_the_paper():
    assert drm_scales(5) == (1, 1, 2, 4, 4)
    assert drm_scales(8) == (1, 1, 1, 2, 4, 4, 4, 4)
    assert drm_scales(3) == (1, 4, 4)
    assert drm_scales(19) == (1,) * 7 + (2,) * 4 + (4,) * 8
    assert relative_cost((1, 1, 2, 4, 4)) == 2.375
    assert relative_cost((1, 2, 2, 4, 4)) == 1.625
    assert scale_at((2, 2), 0) == 1


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 19])
def test_the_last_step_sees_the_full_size(steps):
    scales = drm_scales(steps)
    assert scales[0] == 1
    assert scales == check_scales(scales, steps)


def test_area_mean_against_brute_force():
    x = torch.randn(1, 3, 8, 12, dtype=torch.float64)
    brute = x.reshape(1, 3, 2, 4, 3, 4).mean(dim=(3, 5))
    assert torch.allclose(area_mean(x, 4), brute, rtol=0, atol=1e-12)


@pytest.mark.parametrize("f", [2, 4])
def test_refined_noise_is_white_with_unit_variance(f):
    generator = torch.Generator().manual_seed(f)
    eps = torch.randn(3000, 1, 8, 8, generator=generator, dtype=torch.float64)
    n = torch.randn(3000, 1, 8 * f, 8 * f, generator=generator, dtype=torch.float64)
    fine = refine_noise(eps, n, f)
    assert float(fine.mean()) == pytest.approx(0, abs=0.01)
    assert float(fine.var()) == pytest.approx(1, abs=0.01)
    # The covariance between any two pixels of one f x f block, and of neighbouring blocks, is zero.
    patches = fine.unfold(2, 2 * f, 2 * f).unfold(3, 2 * f, 2 * f).reshape(-1, 4 * f * f)
    covariance = patches.T @ patches / len(patches)
    assert (covariance - torch.eye(4 * f * f, dtype=torch.float64)).abs().max() < 0.06
    assert torch.allclose(area_mean(fine, f) * f, eps, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_has_the_pictures_type(dtype):
    assert white((2, 3), torch.Generator(), torch.zeros(1, dtype=dtype)).dtype == dtype
    assert white((2, 3), None, torch.zeros(1, dtype=dtype)).dtype == dtype


def test_coarsened_noise_has_unit_variance():
    eps = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert float(coarsen_noise(eps, 4).var()) == pytest.approx(1, abs=0.03)


def test_crossing_keeps_a_constant_residual_both_ways():
    R, eps = torch.full((1, 3, 8, 8), 0.25), torch.randn(1, 3, 8, 8)
    up, up_eps = cross(R, eps, 4, 2, torch.randn)
    down, down_eps = cross(up, up_eps, 2, 4, torch.randn)
    assert up.shape[-1] == 16
    assert torch.allclose(up, torch.full_like(up, 0.25))
    assert torch.allclose(down, R)
    assert torch.allclose(down_eps, eps, atol=1e-6)


def test_a_ramp_comes_back_in_its_place():
    """Pixel centres are aligned, not corners; the ends are extrapolated."""
    x = (torch.arange(32) / 32).expand(1, 1, 4, 32)
    assert (upsample(area_mean(x, 4), 4) - x)[..., 4:-4].abs().max() < 1e-6


def test_scales_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="divide"):
        cross(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), 3, 2, torch.randn)


@pytest.mark.parametrize(
    "bad",
    [
        (1, 2),
        (1, 1, 2, 4, 0),
        (1, 1, 1.5, 2, 2),
        (9999, 1, 1, 1, 1),
        (7, 11, 13, 17, 19),
        (1, 2, 3, 4, 4),  # nothing crosses from 3 to 2
    ],
)
def test_bad_schedules_of_scales_are_refused(bad):
    with pytest.raises(ValueError, match="scales"):
        check_scales(bad, 5)


def test_scales_may_have_a_common_multiple_of_64():
    assert check_scales([1, 2, 8, 32, 64], 5) == (1, 2, 8, 32, 64)
    with pytest.raises(ValueError, match="at most 64"):
        check_scales((1, 1, 5, 5, 65), 5)


def test_named_scales():
    assert resolve_scales("fixed", 3, ()) == (1, 1, 1)
    assert resolve_scales("drm", 5, (1, 1, 1, 1, 1)) == drm_scales(5)
    assert resolve_scales([1, 2, 2], 3, (1, 1, 1)) == (1, 2, 2)
    assert resolve_scales(None, 5, (1, 2, 4, 2, 1)) == (1, 2, 4, 2, 1)  # the figure's V shape
    assert resolve_scales(None, 8, (1, 1, 2, 4, 4)) == drm_scales(8)
    with pytest.raises(ValueError, match="fixed"):
        resolve_scales("v", 5, ())


def test_padding_repeats_edges():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    padded = pad_to_multiple(x, common_multiple((1, 2, 4)))
    assert padded.shape[-2:] == (4, 4)
    assert padded[0, 0, 3].tolist() == [3, 4, 5, 5]
