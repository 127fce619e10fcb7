"""The crop: where the face sits in the rendered picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dataset_tools.landmarks import CHIN, FOREHEAD, NOSE_TIP, Landmarks


@dataclass(frozen=True)
class Frame:
    """A crop of a photograph, perhaps tilted and mirrored.

    Attributes:
        affine: (2, 3) float32, from source pixels to frame pixels.
        scale: frame pixels per source pixel.
        mirrored: whether left and right are exchanged.
    """

    affine: np.ndarray
    scale: float
    mirrored: bool


def draw_frame(
    rng: np.random.Generator,
    face: Landmarks,
    shape: tuple[int, int],
    size: int,
    height: tuple[float, float],
) -> Frame:
    """Draws a frame: the face (chin to forehead) ``height`` of it, the nose below the middle.

    ``shape`` is that of the photograph, (H, W). The frame stays inside the photograph where it can,
    and never magnifies more than 1.9 times.
    """
    points = face.points
    tall = float(np.hypot(*(points[FOREHEAD, :2] - points[CHIN, :2])))
    tilt, mirrored = float(np.clip(rng.normal(0, 5), -12, 12)), bool(rng.random() < 0.5)
    turned = np.cos(np.radians(tilt)) + np.sin(np.radians(abs(tilt)))
    least = 1.01 * turned * size / min(shape)
    scale = float(np.clip(rng.uniform(*height) * size / tall, least, max(1.9, least)))
    place = size * np.array([rng.normal(0.5, 0.06), rng.normal(0.60, 0.04)])
    affine = _similarity(points[NOSE_TIP, :2], place, scale, tilt)
    affine[:, 2] += _inside(affine, shape, size)
    if mirrored:
        affine = np.array([[-1.0, 0], [0, 1]]) @ affine + np.array([[0, 0, size - 1.0], [0, 0, 0]])
    return Frame(affine.astype(np.float32), scale, mirrored)


def _similarity(source, place, scale: float, degrees: float) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    turn = np.array([[c, -s], [s, c]])
    return np.concatenate([turn, (place - turn @ source)[:, None]], 1)


def _inside(affine: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Shift, in frame pixels, that brings the tilted frame into the photograph."""
    back = np.linalg.inv(affine[:, :2])
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]])
    reach = (corners - affine[:, 2]) @ back.T
    over = np.maximum(reach.max(0) - [shape[1], shape[0]], 0)
    return affine[:, :2] @ (over - np.maximum(-reach.min(0), 0))


def warp_picture(picture: np.ndarray, frame: Frame, size: int) -> np.ndarray:
    """uint8 picture on the frame's grid; area-like when shrinking, bicubic when enlarging."""
    soft = 0.45 / frame.scale
    source = cv2.GaussianBlur(picture, (0, 0), soft) if frame.scale < 0.7 else picture
    how = cv2.INTER_CUBIC if frame.scale > 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(
        source, frame.affine, (size, size), flags=how, borderMode=cv2.BORDER_REFLECT_101
    )


def sharpen(picture: np.ndarray, amount: float, scale: float) -> np.ndarray:
    """Unsharp mask at the width that enlarging by ``scale`` blurred; uint8 in, uint8 out.

    Enlarged portraits are soft; without it a model learns that whatever is sharp is a shadow.
    """
    if amount <= 0:
        return picture
    soft = cv2.GaussianBlur(picture, (0, 0), 0.7 * scale)
    return cv2.addWeighted(picture, 1 + amount, soft, -amount, 0)


def warp_landmarks(face: Landmarks, frame: Frame, shape: tuple[int, int], size: int) -> Landmarks:
    """Points and matte in the frame's pixels; a mirrored face stays a right-handed one."""
    points = face.points.copy()
    points[:, :2] = face.points[:, :2] @ frame.affine[:, :2].T + frame.affine[:, 2]
    points[:, 2] *= frame.scale
    rows, columns = face.matte.shape
    stretch = np.array([shape[1] / columns, shape[0] / rows])
    middle = frame.affine[:, :2] @ (stretch / 2 - 0.5) + frame.affine[:, 2]  # of the first cell
    affine = np.column_stack([frame.affine[:, :2] * stretch, middle])
    matte = cv2.warpAffine(face.matte, affine, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    return replace(face, points=points, matte=matte)
