"""Metrics on faces: inside the face oval, and how far the landmarks moved."""

from __future__ import annotations

from typing import Self

import cv2
import numpy as np

from benchmarks.regions import true_scores
from dataset_tools.landmarks import LEFT_IRIS, RIGHT_IRIS, open_detector


class FaceJudge:
    """Finds the face in the target once, and scores the result against it.

    A context manager around the landmark detector of ``dataset_tools``; a picture without a face
    gives no face metrics rather than wrong ones.
    """

    def __init__(self) -> None:
        self._detector = open_detector()

    def __enter__(self) -> Self:
        self._detector.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._detector.__exit__(*error)

    def scores(self, result: np.ndarray, target: np.ndarray) -> dict[str, float]:
        """psnr_face, ssim_face, lab_mae_face and landmark_shift; empty where no face is found."""
        wanted = self.points(target)
        if wanted is None:
            return {}
        region = oval(wanted, target.shape)
        if not region.any():
            return {}
        inside = true_scores(result, target, region)
        scores = {f"{k}_face": v for k, v in inside.items() if k != "lab_rmse"}
        found = self.points(result)
        if found is not None:
            scores["landmark_shift"] = landmark_shift(found, wanted)
        return scores

    def points(self, picture: np.ndarray) -> np.ndarray | None:
        """The (478, 2) landmarks in pixels of the largest face, None where there is none."""
        found = self._detector.detect(np.ascontiguousarray(picture))
        return None if found is None else found.points[:, :2]


def oval(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The face's outline filled: convex hull of the landmarks, (H, W) bool."""
    mask = np.zeros(shape[:2], np.uint8)
    outline = cv2.convexHull(points.astype(np.int32)).astype(np.int32)
    cv2.fillConvexPoly(mask, outline, (1,))
    return mask > 0


def landmark_shift(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean landmark distance over the target's inter-ocular (iris to iris) distance."""
    between = float(np.linalg.norm(wanted[RIGHT_IRIS] - wanted[LEFT_IRIS]))
    return float(np.linalg.norm(found - wanted, axis=1).mean()) / max(between, 1e-6)
