"""Metrics against independent values, and against mistakes that would go unnoticed."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from skimage import color, metrics
from skimage.data import astronaut

from benchmarks.colour import lab, lab_mae, lab_rmse
from benchmarks.faces import FaceJudge
from benchmarks.metrics import METRICS, POOLED, psnr, ssim
from benchmarks.perceptual import BACKBONES, MetricUnavailable, load_features, lpips, lpips_batch
from benchmarks.regions import region_scores, true_scores
from benchmarks.resize import matlab_bicubic, pillow_bicubic

WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


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
    expected = metrics.structural_similarity(*pair, channel_axis=2, data_range=255, **WANG)
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


@pytest.mark.parametrize("content", [b"", b"PK not really", b"\x80\x02]q\x00."])
def test_wrong_or_damaged_weights_make_the_metric_missing(tmp_path, monkeypatch, content):
    from benchmarks import perceptual

    (tmp_path / "alexnet_features.pth").write_bytes(content)
    monkeypatch.setenv("LEARNIR_LPIPS_WEIGHTS", str(tmp_path))
    assert "alexnet_features.pth: " in perceptual.why_missing("alex")


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


def test_region_metrics_are_scikit_images_inside_the_mask(pair):
    mask = np.zeros(pair[0].shape[:2], np.uint8)
    mask[10:40, 8:31] = 7
    scores, shadow = region_scores(*pair, mask), mask > 0
    _, similarity = metrics.structural_similarity(
        *pair, full=True, channel_axis=2, data_range=255, **WANG
    )
    inner = np.zeros_like(shadow)  # where the whole window lies in the picture
    inner[5:-5, 5:-5] = True
    difference = color.rgb2lab(pair[0]) - color.rgb2lab(pair[1])
    for name, region in (("shadow", shadow), ("lit", ~shadow)):
        here = {key: scores[f"{key}_{name}"] for key in ("psnr", "ssim", "lab_mae", "lab_rmse")}
        a, b = (p[region][None] for p in pair)
        absolute, squared = np.abs(difference).sum(-1)[region], (difference**2).sum(-1)[region]
        assert here == pytest.approx(
            {
                "psnr": metrics.peak_signal_noise_ratio(b, a, data_range=255),
                "ssim": similarity[region & inner].mean(),
                "lab_mae": absolute.mean(),
                "lab_rmse": np.sqrt(squared.mean()),
            },
            abs=2e-3,
        )


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("peak of 1", lambda a, b: metrics.peak_signal_noise_ratio(b, a, data_range=1)),
        ("limited range", lambda a, b: psnr(a // 2 + 16, b // 2 + 16)),
        ("luma only", lambda a, b: psnr(*(np.dstack([cv2.cvtColor(p, 7)] * 3) for p in (a, b)))),
        ("mean of channels", lambda a, b: np.mean([psnr_of(*c) for c in channels(a, b)])),
        ("JPEG on the way", lambda a, b: psnr(jpeg(a), b)),
        ("resized on the way", lambda a, b: psnr(there_and_back(a), b)),
        ("shifted", lambda a, b: psnr(np.roll(a, 1, axis=0), b)),
        ("red and blue swapped", lambda a, b: psnr(a[..., ::-1].copy(), b)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_psnr_would_fail_the_tests_above(name, wrong):
    target = cv2.resize(astronaut(), (96, 96), interpolation=cv2.INTER_AREA)
    tinted = np.clip(target * np.array([0.95, 1, 0.9]) + 4, 0, 255).astype(np.uint8)
    right = metrics.peak_signal_noise_ratio(target, tinted, data_range=255)
    ours = psnr(tinted, target)
    assert ours == pytest.approx(right, abs=1e-9)
    assert abs(wrong(tinted, target) - ours) > 0.1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniform window", {"win_size": 7}),
        ("sample covariance", WANG | {"use_sample_covariance": True}),
        ("another sigma", WANG | {"sigma": 1.0}),
        ("range of 1", WANG | {"data_range": 1}),
    ],
)
def test_a_wrong_ssim_would_fail_the_tests_above(name, options, rng):
    target = cv2.resize(astronaut(), (96, 96), interpolation=cv2.INTER_AREA)
    noisy = np.clip(target + rng.normal(0, 6, target.shape), 0, 255).astype(np.uint8)
    options = {"channel_axis": 2, "data_range": 255} | options
    wrong = metrics.structural_similarity(noisy, target, **options)
    assert abs(ssim(noisy, target) - wrong) > 1e-5


def psnr_of(a, b):
    return metrics.peak_signal_noise_ratio(b, a, data_range=255)


def channels(a, b):
    return [(a[..., i], b[..., i]) for i in range(3)]


def jpeg(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1], 1)


def there_and_back(picture):
    return pillow_bicubic(pillow_bicubic(picture, 64, 64), 96, 96)


class Found:
    """A detector that finds given landmarks, or nothing."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def detect(self, picture):
        points = self.answers.pop(0)
        return None if points is None else SimpleNamespace(points=points)


def judge_with(*answers):
    judge = FaceJudge.__new__(FaceJudge)
    judge._detector = Found(*answers)
    return judge


@pytest.fixture
def landmarks(rng):
    """478 points in a square of 20 px, irises 10 px apart."""
    points = rng.uniform(14, 34, (478, 3))
    points[:4, :2] = [[14, 14], [34, 14], [34, 34], [14, 34]]
    points[468, :2], points[473, :2] = (19, 20), (29, 20)
    return points


def test_landmark_shift_is_the_mean_distance_between_eyes(pair, landmarks):
    moved = landmarks + np.array([3.0, 4.0, 0.0])  # 5 px, a half of the inter-ocular distance
    scores = judge_with(landmarks, moved).scores(*pair)
    assert scores["landmark_shift"] == pytest.approx(0.5)
    assert judge_with(landmarks, landmarks).scores(*pair)["landmark_shift"] == 0


def test_face_metrics_are_those_of_the_face_alone(pair, landmarks):
    scores = judge_with(landmarks, landmarks).scores(*pair)
    square = np.zeros(pair[0].shape[:2], bool)
    square[14:35, 14:35] = True
    a, b = (p[square][None] for p in pair)
    assert scores["psnr_face"] == pytest.approx(psnr_of(a, b), abs=1e-9)
    assert scores["ssim_face"] == pytest.approx(true_scores(*pair, square)["ssim"])
    assert scores["lab_mae_face"] == pytest.approx(true_scores(*pair, square)["lab_mae"])


def test_no_face_gives_no_face_metric_rather_than_a_wrong_one(pair, landmarks):
    assert judge_with(None).scores(*pair) == {}
    assert "landmark_shift" not in judge_with(landmarks, None).scores(*pair)


def test_a_real_face_that_moved_by_a_tenth_of_the_eyes_distance():
    picture = astronaut()
    with FaceJudge() as judge:
        points = judge.points(picture)
        eyes = float(np.linalg.norm(points[468] - points[473]))
        moved = np.roll(picture, round(eyes / 10), axis=1)
        scores = judge.scores(moved, picture)
    assert scores["landmark_shift"] == pytest.approx(0.1, abs=0.03)
    assert scores["psnr_face"] < 30


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


# What MATLAB's imresize returned for this matrix, as published with the imresize of Octave's image
# package; MATLAB itself is one level off there now and then, for it rounds integers on the way.
MATLAB_INPUT = """
116 227 153  69 146 194  59 130 139 106
  2  47 137 249  90  75  16  24 158  44
155  68  46  84 166 156  69 204  32 152
 71 221 137 230 210 153 192 115  30 118
107 143 108  52  51  73 101  21 175  90
 54 158 143  77  26 168 113 229 165 225
  9  47 133 135 130 207 236  43  19  73
129  60  59 243  64 181 249  56  32  86"""
MATLAB_HALF = """
105 140 126  81 109
110 134 153 114  93
108 108  94 127 146
 67 126 162 149  62"""
MATLAB_ONE_AND_A_HALF = """
116 187 237 171  94  61 135 191 187  75  91 142 140 124 108
 43  92 143 149 164 163 119 123 118  44  38  80 151 118  62"""


def matrix(text):
    return np.array([line.split() for line in text.strip().splitlines()], dtype=float)[..., None]


def test_matlab_resize_gives_the_values_matlab_gave():
    half = matlab_bicubic(matrix(MATLAB_INPUT), 4, 5)
    assert np.abs(half - matrix(MATLAB_HALF)).max() <= 1
    wide = matlab_bicubic(matrix(MATLAB_INPUT), 12, 15)
    assert np.abs(wide[:2] - matrix(MATLAB_ONE_AND_A_HALF)).max() <= 1
    not_antialiased = cv2.resize(matrix(MATLAB_INPUT), (5, 4), interpolation=cv2.INTER_CUBIC)
    assert np.abs(not_antialiased - matrix(MATLAB_HALF)[..., 0]).max() > 10


def test_matlab_resize_agrees_with_pillow_inside(rng):
    picture = cv2.GaussianBlur(rng.uniform(0, 255, (96, 128, 3)), (0, 0), 1.5).astype(np.uint8)
    ours, pillows = (f(picture, 40, 50).astype(int) for f in (matlab_bicubic, pillow_bicubic))
    assert np.abs(ours - pillows)[4:-4, 4:-4].max() <= 1


def test_the_input_row_of_the_real_sets_is_what_was_measured_before(shared_folder):
    """UCB dev: 17.55 dB, SSIM .752, LPIPS-alex .112, fixed by two independent scripts."""
    from benchmarks.pairs import decoded, open_collection

    collection = open_collection("ucb", shared_folder / "data")
    pairs = [(p.input, p.target) for p in decoded(collection)]
    rows = [(psnr(*pair), ssim(*pair)) for pair in pairs]
    assert np.mean(rows, axis=0) == pytest.approx([17.55, 0.752], abs=6e-3)
    assert np.mean(lpips_batch(*zip(*pairs, strict=True))) == pytest.approx(0.112, abs=6e-4)


def test_every_metric_says_what_it_means():
    for name, metric in (METRICS | POOLED).items():
        assert metric.name == name
        assert metric.source
        assert metric.version
        assert metric.direction in ("higher", "lower")
