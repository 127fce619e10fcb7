"""Metrics against independent values, and against mistakes that would go unnoticed."""

import cv2
import numpy as np
import pytest
from skimage import color, metrics

from benchmarks.colour import lab, lab_mae, lab_rmse
from benchmarks.metrics import METRICS, psnr, ssim
from benchmarks.perceptual import BACKBONES, MetricUnavailable, load_features, lpips
from benchmarks.regions import legacy_scores, region_scores, true_scores
from benchmarks.resize import matlab_bicubic, pillow_bicubic


@pytest.fixture
def pair(rng):
    a = rng.integers(0, 256, (48, 60, 3)).astype(np.uint8)
    return a, np.clip(a.astype(int) + rng.integers(-30, 40, a.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_psnr_is_scikit_images(pair):
    expected = metrics.peak_signal_noise_ratio(pair[1], pair[0], data_range=255)
    assert psnr(*pair) == pytest.approx(expected, abs=1e-9)
    assert psnr(pair[0], pair[0]) == float("inf")


def test_psnr_by_hand():
    a, b = np.zeros((12, 12, 3), np.uint8), np.full((12, 12, 3), 51, np.uint8)
    assert psnr(a, b) == pytest.approx(20 * np.log10(5), abs=1e-12)


def test_ssim_is_scikit_images_with_wangs_settings(pair):
    expected = metrics.structural_similarity(
        *pair,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=255,
    )
    assert ssim(*pair) == pytest.approx(expected, abs=1e-6)


def test_lab_is_scikit_images(pair):
    assert np.abs(lab(pair[0]) - color.rgb2lab(pair[0])).max() < 0.02
    difference = np.abs(color.rgb2lab(pair[0]) - color.rgb2lab(pair[1]))
    assert lab_mae(*pair) == pytest.approx(difference.sum(2).mean(), abs=1e-3)
    assert lab_rmse(*pair) == pytest.approx(np.sqrt((difference**2).sum(2).mean()), abs=1e-3)


def test_lpips_gives_the_published_values_of_the_packages_own_pictures(shared_folder):
    folder = shared_folder / "reference" / "lpips"
    reference, p0, p1 = (
        cv2.imread(str(folder / f"ex_{n}.png"))[..., ::-1].copy() for n in ("ref", "p0", "p1")
    )
    assert lpips(reference, p0) == pytest.approx(0.7219, abs=2e-4)
    assert lpips(reference, p1) == pytest.approx(0.1376, abs=2e-4)
    assert lpips(reference, reference) == 0


def test_other_backbone_weights_are_refused_not_used(tmp_path):
    import torch

    path = tmp_path / "alexnet_features.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 11, 11)}, path)
    with pytest.raises(MetricUnavailable, match="not the weights"):
        load_features(BACKBONES["alex"], path)


def test_lpips_without_weights_is_missing_with_the_places_looked_at(tmp_path, monkeypatch):
    from benchmarks import perceptual

    monkeypatch.setenv("LEARNIR_LPIPS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(perceptual, "shared_root", lambda: None)
    assert "LEARNIR_LPIPS_WEIGHTS" in perceptual.why_missing("alex")


@pytest.mark.parametrize("metric", [psnr, ssim, lab_mae, lab_rmse])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a.astype(np.float32) / 255,
        lambda a: a.astype(np.uint16),
        lambda a: a[..., 0],
        lambda a: a[:-1],
        lambda a: np.dstack([a, a[..., :1]]),
    ],
    ids=["float in 0..1", "16 bits", "grey", "another size", "alpha"],
)
def test_wrong_range_kind_or_size_is_refused(pair, metric, wrong):
    with pytest.raises(ValueError, match="result"):
        metric(wrong(pair[0]), pair[1])


def test_a_colour_order_mistake_cannot_pass(pair):
    redder = np.clip(pair[0] + np.array([30, 0, 0]), 0, 255).astype(np.uint8)
    swapped, swapped_too = (p[..., ::-1].copy() for p in (pair[0], redder))
    assert abs(lab_mae(swapped, swapped_too) - lab_mae(pair[0], redder)) > 1
    assert psnr(swapped, pair[0]) < 15


def test_a_shift_of_one_pixel_shows():
    smooth = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (64, 64, 3)), (0, 0), 2)
    picture = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    shifted = np.roll(picture, 1, axis=1)
    assert psnr(shifted, picture) < 32
    assert ssim(shifted, picture) < 0.97


def test_region_metrics_by_hand():
    a, b = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    b[:, :10] = 51  # a quarter of the picture, in the shadow
    mask = np.zeros((40, 40), np.uint8)
    mask[:, :10] = 1  # any nonzero value counts
    scores = region_scores(a, b, mask)
    assert scores["psnr_shadow"] == pytest.approx(20 * np.log10(5))
    assert scores["psnr_lit"] == float("inf")
    assert scores["psnr_shadow_legacy"] == pytest.approx(scores["psnr_shadow"] + 10 * np.log10(4))


def test_legacy_psnr_is_higher_by_the_area(pair):
    region = np.zeros(pair[0].shape[:2], bool)
    region[5:25, 10:30] = True
    gain = legacy_scores(*pair, region)["psnr"] - true_scores(*pair, region)["psnr"]
    assert gain == pytest.approx(10 * np.log10(region.size / region.sum()), abs=1e-9)


def brute_resize(row, after):
    """One row by the definition of MATLAB's imresize, tap by tap."""
    scale = after / len(row)
    widen = min(scale, 1.0)
    out = []
    for i in range(after):
        centre = (i + 0.5) / scale - 0.5
        total = weight = 0.0
        for j in range(-4 * len(row), 5 * len(row)):
            x = abs(widen * (centre - j))
            k = 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            k = k if x <= 2 else 0.0
            m = j % (2 * len(row))
            total += k * row[m if m < len(row) else 2 * len(row) - 1 - m]
            weight += k
        out.append(total / weight)
    return np.array(out)


@pytest.mark.parametrize("after", [5, 8, 12, 23])
def test_matlab_resize_is_its_definition(rng, after):
    row = rng.uniform(0, 255, 12)
    resized = matlab_bicubic(np.repeat(row[None, :, None], 2, axis=0), 2, after)[0, :, 0]
    assert np.allclose(resized, brute_resize(row, after), atol=1e-9)


def test_matlab_resize_agrees_with_pillow_inside(rng):
    picture = cv2.GaussianBlur(rng.uniform(0, 255, (96, 128, 3)), (0, 0), 1.5).astype(np.uint8)
    ours, pillows = (f(picture, 40, 50).astype(int) for f in (matlab_bicubic, pillow_bicubic))
    assert np.abs(ours - pillows)[4:-4, 4:-4].max() <= 1


def test_the_input_row_of_the_real_sets_is_what_was_measured_before(shared_folder):
    """UCB dev: 17.55 dB, SSIM .752, LPIPS-alex .112, fixed by two independent scripts."""
    from benchmarks.pairs import decoded, open_collection

    collection = open_collection("ucb", shared_folder / "data")
    rows = [(psnr(p.input, p.target), ssim(p.input, p.target)) for p in decoded(collection)]
    assert np.mean(rows, axis=0) == pytest.approx([17.55, 0.752], abs=6e-3)


def test_every_metric_says_what_it_means():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.source
        assert metric.version
        best, worst = (1, 0) if metric.direction == "higher" else (0, 1)
        assert metric.better(best, worst)
