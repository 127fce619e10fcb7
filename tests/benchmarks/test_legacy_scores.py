"""What the field's MATLAB script prints, by other libraries and by numbers of MATLAB's own."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import color
from skimage.data import astronaut

from benchmarks.colour import lab, lab_d50
from benchmarks.metrics import POOLED, mean_volume_ssim, ssim
from benchmarks.protocols import PROTOCOLS
from benchmarks.regions import legacy_scores, region_scores, true_scores, zeroed_scores
from benchmarks.resize import matlab_bicubic
from benchmarks.summary import summarise


@pytest.fixture
def pair():
    """A coloured picture, and the same in a light of another colour."""
    target = astronaut()[100:160, 200:272]
    return (target * [0.9, 0.7, 0.5]).astype(np.uint8), target


def scipys_volume_ssim(a, b):
    """Wang's formula with a Gaussian of radius 5 over rows, columns and channels alike."""

    def mean(volume):
        return gaussian_filter(volume, 1.5, mode="nearest", radius=5)

    x, y = a.astype(float), b.astype(float)
    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean(x) * mean(y) + c1) * (2 * covariance + c2)
    return np.mean(top / ((mean(x) ** 2 + mean(y) ** 2 + c1) * (variances + c2)))


def test_ssim_takes_rgb_for_a_volume_as_matlab_does(pair):
    expected = scipys_volume_ssim(*pair)
    assert mean_volume_ssim(*pair) == pytest.approx(expected, abs=1e-9)
    assert legacy_scores(*pair)["ssim_legacy"] == mean_volume_ssim(*pair)
    assert mean_volume_ssim(pair[0], pair[0]) == pytest.approx(1)
    assert abs(mean_volume_ssim(*pair) - ssim(*pair)) > 0.01


def test_lab_is_matlabs_under_d50():
    """rgb2lab([.2 .3 .4], 'WhitePoint', 'd50') as MATLAB's documentation prints it."""
    colour = 255 * np.array([[[0.2, 0.3, 0.4]]])
    matlabs = [31.3294, -4.0732, -18.1750]
    assert lab_d50(colour)[0, 0] == pytest.approx(matlabs, abs=3e-3)
    assert np.abs(lab(colour)[0, 0] - matlabs).max() > 0.5
    assert lab_d50(np.full((1, 1, 3), 255, np.uint8))[0, 0] == pytest.approx([100, 0, 0], abs=0.01)


def test_lab_differences_are_summed_over_the_channels(pair):
    distance = np.abs(lab_d50(pair[0]) - lab_d50(pair[1])).sum(-1)
    assert legacy_scores(*pair)["lab_mae_legacy"] == pytest.approx(distance.mean())
    mask = np.zeros(distance.shape, np.uint8)
    mask[10:40, 8:31] = 7
    scores = region_scores(*pair, mask)
    assert scores["lab_mae_shadow_legacy"] == pytest.approx(distance[mask > 0].mean())
    assert scores["lab_mae_lit_legacy"] == pytest.approx(distance[mask == 0].mean())


def test_the_other_region_is_set_to_zero(pair):
    mask = np.zeros(pair[0].shape[:2], np.uint8)
    mask[10:40, 8:31] = 7
    scores = region_scores(*pair, mask)
    for name, region in (("shadow", mask > 0), ("lit", mask == 0)):
        x, y = (np.where(region[..., None], p, 0).astype(np.uint8) for p in pair)
        assert scores[f"ssim_{name}_legacy"] == pytest.approx(scipys_volume_ssim(x, y), abs=1e-9)


def legacy_rows(*shares):
    """Rows of pictures that are off by 10, 20, ... levels, the given shares of them in shadow."""
    rows = []
    for number, share in enumerate(shares, start=1):
        target = np.full((100, 100, 3), 128, np.uint8)
        mask = np.zeros((100, 100), np.uint8)
        mask[: round(100 * share)] = 255
        scores = region_scores(target - np.uint8(10 * number), target, mask)
        rows.append({"name": str(number), "scene": str(number), "seed": 0, **scores})
    return pd.DataFrame(rows)


def test_the_script_pools_pixels_too():
    """A tenth of one picture and nine of another: means over pictures and over pixels differ."""
    rows = legacy_rows(0.1, 0.9)
    small, large = rows["lab_mae_shadow_legacy"]
    assert large > 1.5 * small
    found = summarise(rows)
    assert found["lab_mae_shadow_legacy"]["mean"] == pytest.approx((small + large) / 2)
    pooled = found["lab_mae_shadow_legacy_pooled"]
    assert pooled["mean"] == pytest.approx(0.1 * small + 0.9 * large)
    assert (pooled["low"], pooled["pictures"]) == (None, 2)
    assert found["lab_mae_lit_legacy_pooled"]["mean"] == pytest.approx(0.9 * small + 0.1 * large)


def test_rows_without_a_region_or_its_size_are_not_pooled():
    without = summarise(legacy_rows(0.1, 0.9).drop(columns=["pixels_shadow", "pixels_lit"]))
    assert "lab_mae_shadow_legacy" in without
    assert not set(POOLED) & set(without)
    found = summarise(legacy_rows(0.0, 0.5))["lab_mae_shadow_legacy_pooled"]
    assert found["pictures"] == 1
    assert found["mean"] == pytest.approx(legacy_rows(0.0, 0.5)["lab_mae_shadow_legacy"][1])


def test_masks_never_wrap_around():
    """The cubic shoots over and under at edges; bytes stop at 0 and 255, and are rounded."""
    mask = np.zeros((24, 90), np.uint8)
    mask[:, 31:] = 255
    mask[:, 60:] = np.arange(30)
    found = matlab_bicubic(mask, 24, 40)
    exact = matlab_bicubic(mask.astype(float), 24, 40)
    assert exact.min() < -5
    assert exact.max() > 260
    assert np.abs(found - exact.clip(0, 255)).max() <= 0.5
    assert not found[:, :11].any()


def test_masks_grow_by_the_kernel():
    """imresize of a uint8 mask leaves greys at its edge, and every one counts as shadow."""
    mask = np.zeros((480, 640), np.uint8)
    mask[100:300, 200:403] = 255
    found = PROTOCOLS["matlab-256-v2"].fit_mask(mask)
    assert np.array_equal(found, matlab_bicubic(mask, 256, 256))
    near = PROTOCOLS["256-v1"].fit_mask(mask)
    assert set(np.unique(near)) == {0, 255}
    assert (found > 0).sum() > (near > 0).sum()


def test_legacy_psnr_is_higher_by_the_area(pair):
    region = np.zeros(pair[0].shape[:2], bool)
    region[5:25, 10:30] = True
    gain = zeroed_scores(*pair, region)["psnr"] - true_scores(*pair, region)["psnr"]
    assert gain == pytest.approx(10 * np.log10(region.size / region.sum()), abs=1e-9)


def plain_legacy(picture):
    """im2double and imresize to 256 x 256, then Lab, by Pillow and scikit-image."""
    channels = [
        np.asarray(Image.fromarray(c).resize((256, 256), Image.Resampling.BICUBIC))
        for c in np.moveaxis(picture.astype(np.float32) / 255, -1, 0)
    ]
    return color.rgb2lab(np.clip(np.dstack(channels), 0, 1))


def test_the_srd_input_row_is_what_another_pipeline_gives(shared_folder):
    """Lab MAE under matlab-256-v2; 13.77 is published for all 408 pairs, of which 25 are here.

    All of them give 13.56 under D65 (measured before this project); D50 is 1.3 % more, 13.74.
    """
    from benchmarks.pairs import decoded, open_collection
    from benchmarks.verification import do_nothing_row

    found = open_collection("srd", shared_folder / "data")
    some = dataclasses.replace(found, sources=found.sources[:6])
    expected = [
        np.abs(plain_legacy(p.input) - plain_legacy(p.target)).sum(-1).mean() for p in decoded(some)
    ]
    row = do_nothing_row(some, "matlab-256-v2")
    assert row["lab_mae"] == pytest.approx(np.mean(expected), abs=0.02)
    every = do_nothing_row(found, "matlab-256-v2")
    assert 13.56 * every["lab_mae_legacy"] / every["lab_mae"] == pytest.approx(13.77, rel=0.003)
