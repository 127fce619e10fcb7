"""Face landmarks and the person matte, by MediaPipe's bundled models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

NOSE_TIP, CHIN, FOREHEAD = 1, 152, 10
RIGHT_IRIS, LEFT_IRIS = 468, 473  # the subject's right eye is on the picture's left
RIGHT_CHEEK, LEFT_CHEEK = 234, 454


@dataclass(frozen=True)
class Landmarks:
    """What the renderer knows of one face.

    points: (478, 3) float32, pixels: x right, y down, z towards the camera, all on one scale.
    matte: (H, W) uint8, 255 = person. faces: how many faces were found.
    """

    points: np.ndarray
    matte: np.ndarray
    faces: int


class BundledDetector:
    """Face mesh and selfie segmentation of mediapipe 0.10.21, whose wheel carries the models."""

    def __init__(self) -> None:
        import mediapipe as mp

        solutions = mp.solutions
        self._mesh: Any = solutions.face_mesh.FaceMesh(
            static_image_mode=True, refine_landmarks=True, max_num_faces=3
        )
        self._person: Any = solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)

    def __enter__(self) -> BundledDetector:
        return self

    def __exit__(self, *_: object) -> None:
        self._mesh.close()
        self._person.close()

    def detect(self, picture: np.ndarray) -> Landmarks | None:
        """Largest face of an RGB uint8 picture, None where there is none."""
        found = self._mesh.process(picture).multi_face_landmarks or ()
        if not found:
            return None
        height, width = picture.shape[:2]
        scale = np.array([width, height, -width], np.float32)
        faces = [np.array([[p.x, p.y, p.z] for p in f.landmark], np.float32) for f in found]
        points = max((face * scale for face in faces), key=_extent)
        matte = self._person.process(picture).segmentation_mask
        return Landmarks(points, (matte * 255 + 0.5).astype(np.uint8), len(faces))


def _extent(points: np.ndarray) -> float:
    return float(np.ptp(points[:, 1]))
