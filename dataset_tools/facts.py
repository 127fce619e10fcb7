"""What is measured of a photo before anything is decided about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from dataset_tools import pose
from dataset_tools.clean_target import examine
from dataset_tools.geometry import IRIS_DISTANCE_MM, millimetres_per_pixel, surface
from dataset_tools.landmarks import Landmarks
from learnir.images import decode_linear, to_unit

ITA_BINS = ((55, "very light"), (41, "light"), (28, "intermediate"), (10, "tan"), (-30, "brown"))


@dataclass(frozen=True)
class Facts:
    """Measurements of one photo.

    Attributes:
        unreadable: why the photo cannot be read; empty where it can.
        faces: how many were found.
        iris_px: distance of the iris centres in the decoded photo, whose longest side is at most
            1600 pixels; everything else is measured at 512.
        yaw, pitch, roll: degrees.
        sharpness: variance of the Laplacian on the aligned face.
        clipped: share of the skin at 250 or more.
        skin_L: median CIE L* of the skin.
        chroma: its median distance from grey.
        eyes: brightness of the eyes relative to the skin.
        ita: individual typology angle, degrees.
        dark_share, edge_share, asymmetry, shadow_score: see ``clean_target.CleanTarget``.
        thumb: 16 x 16 grey, hex, by which duplicates are found.
    """

    key: str
    sha256: str = ""
    unreadable: str = ""
    faces: int = 0
    iris_px: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    sharpness: float = 0.0
    clipped: float = 0.0
    skin_L: float = 0.0
    chroma: float = 0.0
    eyes: float = 1.0
    ita: float = 0.0
    dark_share: float = 0.0
    edge_share: float = 0.0
    asymmetry: float = 0.0
    shadow_score: float = 0.0
    thumb: str = ""

    def row(self) -> dict[str, Any]:
        return asdict(self)


def measure(key: str, sha256: str, picture: np.ndarray, face: Landmarks | None) -> Facts:
    """Facts of a decoded photo and its largest face."""
    thumb = thumbnail(picture)
    if face is None:
        return Facts(key, sha256, thumb=thumb)
    iris_px = IRIS_DISTANCE_MM / millimetres_per_pixel(face.points)
    picture, face = _reduced(picture, face)
    scene = surface(face.points, (picture.shape[0], picture.shape[1]))
    target = examine(decode_linear(picture), scene)
    light, chroma, ita, clipped = _skin_tone(picture, scene.skin > 0.9)
    return Facts(
        key=key,
        sha256=sha256,
        faces=face.faces,
        iris_px=iris_px,
        yaw=pose.yaw(face.points),
        pitch=pose.pitch(face.points),
        roll=pose.roll(face.points),
        sharpness=_sharpness(picture, scene.face),
        clipped=clipped,
        skin_L=light,
        chroma=chroma,
        eyes=_eyes(picture, face),
        ita=ita,
        dark_share=target.dark_share,
        edge_share=target.edge_share,
        asymmetry=target.asymmetry,
        shadow_score=target.score,
        thumb=thumb,
    )


def _reduced(picture: np.ndarray, face: Landmarks) -> tuple[np.ndarray, Landmarks]:
    """Measured at 512 pixels at most: the facts do not need more."""
    scale = 512 / max(picture.shape)
    if scale >= 1:
        return picture, face
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small, Landmarks(face.points * np.float32(scale), face.matte, face.faces)


def _skin_tone(picture: np.ndarray, skin: np.ndarray) -> tuple[float, float, float, float]:
    """Median L*, chroma, ITA = atan((L - 50) / b) in degrees, and the clipped share."""
    if not skin.any():
        return 0.0, 0.0, 0.0, 0.0
    lab = cv2.cvtColor(to_unit(picture), cv2.COLOR_RGB2LAB)[skin]
    light, a, b = (float(v) for v in np.median(lab, 0))
    ita = float(np.degrees(np.arctan2(light - 50, b)))
    return light, float(np.hypot(a, b)), ita, float((picture[skin].max(1) >= 250).mean())


def _eyes(picture: np.ndarray, face: Landmarks) -> float:
    """Brightness of the brighter eye socket over the cheeks', sRGB; dark glasses are near 0."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    points = face.points[:, :2]
    sockets = [_around(grey, points[[a, b]].mean(0), points) for a, b in ((33, 133), (362, 263))]
    cheeks = [_around(grey, points[a], points) for a in (50, 280)]
    return float(max(sockets) / max(min(cheeks), 1.0))


def _around(grey: np.ndarray, centre: np.ndarray, points: np.ndarray) -> float:
    """75th percentile in a window a quarter of the eyes' distance wide."""
    reach = max(2, int(0.16 * np.linalg.norm(points[33] - points[263])))
    x, y = (int(v) for v in centre)
    window = grey[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return float(np.percentile(window, 75)) if window.size else 0.0


def skin_bin(ita: float) -> str:
    """Name of the ITA bin (55, 41, 28, 10, -30 degrees)."""
    return next((name for least, name in ITA_BINS if ita > least), "dark")


def _sharpness(picture: np.ndarray, face: np.ndarray) -> float:
    rows, columns = np.nonzero(face)
    if not len(rows):
        return 0.0
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    crop = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return float(cv2.Laplacian(cv2.resize(crop, (128, 128)), cv2.CV_64F).var())


def thumbnail(picture: np.ndarray) -> str:
    """16 x 16 grey of the whole source photo, as hex."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).tobytes().hex()
