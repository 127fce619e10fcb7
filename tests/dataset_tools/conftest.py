"""Shared by the dataset tests: one real face (scikit-image's astronaut) and the shared folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from builds import build

from dataset_tools.landmarks import Landmarks, open_detector

LICENCE = "public domain (NASA)"


def find_shared() -> Path | None:
    """The developers' data, by LEARNIR_SHARED or ../shared beside the repository."""
    root = Path(__file__).resolve().parents[2]
    for place in (os.environ.get("LEARNIR_SHARED"), root.parent / "shared"):
        if place and (Path(place) / "data").is_dir():
            return Path(place)
    return None


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = find_shared()
    if folder is None:
        pytest.skip("no shared data: set LEARNIR_SHARED or put it at ../shared")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    from skimage.data import astronaut

    cv2.setNumThreads(1)
    return astronaut()


@pytest.fixture(scope="session")
def detector():
    with open_detector() as detector:
        yield detector


@pytest.fixture(scope="session")
def face(astronaut, detector) -> Landmarks:
    found = detector.detect(astronaut)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def turned() -> Callable[[Landmarks, float, float], Landmarks]:
    """A function: the same face with its head turned by yaw and pitch, degrees."""
    return _turned


def _turned(face: Landmarks, yaw: float, pitch: float) -> Landmarks:
    a, b = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    centre = face.points.mean(0)
    points = (face.points - centre) @ (about_x @ about_y).T + centre
    return Landmarks(points.astype(np.float32), face.matte, face.faces)


@pytest.fixture(scope="session")
def write_variants() -> Callable[[Path, np.ndarray, int], None]:
    """A function: write a number of different crops and tilts of one portrait, as PNG."""
    return _write_variants


def _write_variants(folder: Path, picture: np.ndarray, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        scale, tilt = 0.95 + 0.04 * (k % 7), -15 + 5 * (k % 6)
        move = cv2.getRotationMatrix2D((225, 120), tilt, scale)
        move[:, 2] += [128 - 225 + 6 * (k % 5), 120 - 120 + 5 * (k % 4)]
        crop = cv2.warpAffine(picture, move, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
        crop = cv2.convertScaleAbs(crop, alpha=0.8 + 0.02 * (k % 11))
        cv2.imwrite(str(folder / f"portrait{k:03d}.png"), crop[..., ::-1])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for the landmarks that a module's builds share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut, write_variants) -> Path:
    folder = tmp_path_factory.mktemp("portraits")
    write_variants(folder, astronaut, 6)
    return folder


@pytest.fixture
def built(tmp_path, photos, cache):
    """A function: build the portraits, or build them again, in a layout."""

    def run(layout: str = "parquet", *more: object) -> Path:
        out = tmp_path / layout
        words = [photos, out, "--format", layout, "--landmark-cache", cache, *more]
        assert build(*words) == 0
        return out

    return run
