"""Pipes and devices among pictures: reading them might wait for ever, or never end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.pairs import decoded, open_collection
from dataset_tools.photos import PhotoError, find_photos, read_bytes
from learnir.training.data import open_pairs

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices as POSIX has them")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """input/ and target/ with one pair, whose input is a device that can be read."""
    for name in ("input", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "input" / "a.png").symlink_to("/dev/null")
    Image.new("RGB", (8, 8)).save(tmp_path / "target" / "a.png")
    return tmp_path


def test_a_device_among_photos_is_one_line(pairs: Path) -> None:
    (photo,) = find_photos(pairs / "input")
    with pytest.raises(PhotoError, match=r"a\.png: cannot be read \(not a file\)"):
        read_bytes(photo.path)


def test_a_device_among_pairs_to_train_on_is_named(pairs: Path) -> None:
    with pytest.raises(OSError, match=r"not a file: .*input/a\.png"):
        open_pairs(pairs, "all")[0].load()


def test_a_device_among_pairs_to_score_is_named(pairs: Path) -> None:
    with pytest.raises(OSError, match=r"not a file: .*input/a\.png"):
        list(decoded(open_collection(str(pairs)), 1))
