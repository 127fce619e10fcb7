"""The haze that scripts/adaptation.py draws."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from learnir.training.data import open_pairs

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def adaptation(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import adaptation

    return adaptation


def test_haze_mixes_the_picture_with_one_light(adaptation):
    black, white = (np.full((60, 80, 3), level, np.uint8) for level in (0, 255))
    over = [
        adaptation.hazy(p, np.random.default_rng(3)).astype(float) / 255 for p in (black, white)
    ]
    t = (over[1] - over[0]).mean(axis=2)  # J = 1 less J = 0: A (1 - t) drops out
    light = over[0] / (1 - t)[..., None]
    assert t[:10].mean() < t[-10:].mean()
    assert light.std(axis=(0, 1)).max() < 0.02
    assert 0.66 < light.mean() < 1.04


def test_hazed_pairs_keep_their_targets(adaptation, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for part in ("input", "target"):
        (tmp_path / "plain" / part).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "plain" / part / "a.png"), picture[..., ::-1])
    for name in ("one", "two"):
        (pair,) = open_pairs(adaptation.hazed(tmp_path / "plain", tmp_path / name), "all")
        under, clean = pair.load()
        assert np.array_equal(clean, picture)
        assert under.std() < picture.std()
    (first,) = open_pairs(tmp_path / "one", "all")
    assert np.array_equal(first.load()[0], under)
