"""Face landmarks and the person matte: two MediaPipe backends behind one protocol."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import cv2
import numpy as np

from dataset_tools.light import smoothstep
from learnir.quiet import native_log_silenced

NOSE_TIP, CHIN, FOREHEAD = 1, 152, 10
RIGHT_IRIS, LEFT_IRIS = 468, 473  # the subject's right eye is on the picture's left
RIGHT_CHEEK, LEFT_CHEEK = 234, 454
MATTE_SIDE = 256
MODEL_VARIABLE = "LEARNIR_FACE_LANDMARKER"


class LandmarkError(Exception):
    """A detector that cannot be made; the message names the file and the remedy."""


@dataclass(frozen=True)
class Landmarks:
    """What the renderer knows of one face.

    Attributes:
        points: float32 (478, 3), pixels: x right, y down, z towards the camera, all on one scale.
        matte: uint8, 255 = person, stretched over the whole picture.
        faces: how many were found.
    """

    points: np.ndarray
    matte: np.ndarray
    faces: int

    @cached_property
    def person(self) -> np.ndarray:
        """The matte with a firmer border: float32 in [0, 1], of the matte's size."""
        return smoothstep((self.matte.astype(np.float32) / 255 - 0.25) / 0.5)


class Detector(Protocol):
    """Finds the largest face of an RGB uint8 picture; a context manager, to be closed."""

    name: str

    def detect(self, picture: np.ndarray) -> Landmarks | None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def open_detector(model: str | Path | None = None) -> Detector:
    """Tasks API with a .task file; bundled where it is empty. None = LEARNIR_FACE_LANDMARKER."""
    model = os.environ.get(MODEL_VARIABLE) if model is None else model
    with native_log_silenced():
        detector: Detector = TasksDetector(Path(model)) if model else BundledDetector()
        detector.detect(np.zeros((64, 64, 3), np.uint8))  # the models load at first use
    return detector


class _Detector:
    """Closes what a detector has opened."""

    _mesh: Any
    _person: _PersonMatte

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._mesh.close()
        self._person.close()


class BundledDetector(_Detector):
    """Face mesh of mediapipe 0.10.21, whose wheel carries the models; 478 points, 3 faces."""

    name = "mediapipe-solutions"

    def __init__(self) -> None:
        self._warm = False
        solutions = _solutions()
        self._mesh = solutions.face_mesh.FaceMesh(
            static_image_mode=True, refine_landmarks=True, max_num_faces=5
        )
        self._person = _PersonMatte()

    def detect(self, picture: np.ndarray) -> Landmarks | None:
        with nullcontext() if self._warm else native_log_silenced():
            found = self._mesh.process(picture).multi_face_landmarks or ()
        self._warm = self._warm or bool(found)
        return _largest([face.landmark for face in found], picture, self._person)


class TasksDetector(_Detector):
    """FaceLandmarker of the Tasks API with a face_landmarker.task file."""

    name = "mediapipe-tasks"

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise LandmarkError(f"{model}: no such file; give a face_landmarker.task")
        import mediapipe as mp

        self._image = mp.Image
        self._format = mp.ImageFormat.SRGB
        vision = mp.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=mp.tasks.BaseOptions(model_asset_path=str(model)), num_faces=5
        )
        try:
            self._mesh = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise LandmarkError(f"{model}: not a face landmarker ({error})") from error
        self._person = _PersonMatte(model.with_name("selfie_segmenter.tflite"))

    def detect(self, picture: np.ndarray) -> Landmarks | None:
        image = self._image(image_format=self._format, data=np.ascontiguousarray(picture))
        return _largest(self._mesh.detect(image).face_landmarks, picture, self._person)


def _solutions() -> Any:
    import mediapipe as mp

    if not hasattr(mp, "solutions"):
        raise LandmarkError(
            f"mediapipe {mp.__version__} has no bundled models; install mediapipe 0.10.21 or set "
            f"{MODEL_VARIABLE} to a face_landmarker.task"
        )
    return mp.solutions


class _PersonMatte:
    """Selfie segmentation: the bundled model, else a selfie_segmenter.tflite."""

    def __init__(self, model: Path | None = None) -> None:
        import mediapipe as mp

        self._solution: Any = None
        self._task: Any = None
        if hasattr(mp, "solutions"):
            self._solution = mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
        elif model is not None and model.is_file():
            options = mp.tasks.vision.ImageSegmenterOptions(
                base_options=mp.tasks.BaseOptions(model_asset_path=str(model))
            )
            self._task = mp.tasks.vision.ImageSegmenter.create_from_options(options)
            self._image, self._format = mp.Image, mp.ImageFormat.SRGB
        else:
            raise LandmarkError(f"{model}: no such file; put selfie_segmenter.tflite there")

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (MATTE_SIDE, MATTE_SIDE); the model itself sees no more than that."""
        small = cv2.resize(picture, (MATTE_SIDE, MATTE_SIDE), interpolation=cv2.INTER_AREA)
        if self._solution is not None:
            matte = self._solution.process(small).segmentation_mask
        else:
            image = self._image(image_format=self._format, data=small)
            matte = self._task.segment(image).confidence_masks[0].numpy_view()
        return (np.clip(matte, 0, 1) * 255 + 0.5).astype(np.uint8)

    def close(self) -> None:
        (self._solution or self._task).close()


def _largest(faces: Any, picture: np.ndarray, person: _PersonMatte) -> Landmarks | None:
    if not faces:
        return None
    height, width = picture.shape[:2]
    scale = np.array([width, height, -width], np.float32)
    found = [np.array([[p.x, p.y, p.z] for p in face], np.float32) * scale for face in faces]
    points = max(found, key=lambda points: float(np.ptp(points[:, 1])))
    check_order(points)
    return Landmarks(points, person(picture), len(found))


def check_order(points: np.ndarray) -> None:
    """Point 1 is the nose tip, between forehead and chin and between the cheeks; some forks order
    the vertices differently. Measured in three dimensions, in which no pose changes it."""
    sides = ((CHIN, FOREHEAD), (RIGHT_CHEEK, LEFT_CHEEK))
    if len(points) < 478 or not all(0.25 < _nose_at(points, a, b) < 0.75 for a, b in sides):
        raise LandmarkError("landmarks are not MediaPipe's 478-point order: 1 nose, 152 chin")


def _nose_at(points: np.ndarray, start: int, end: int) -> float:
    """How far along the line from one point to another the nose tip is, 0 to 1 between them."""
    line = points[end] - points[start]
    return float((points[NOSE_TIP] - points[start]) @ line / max(float(line @ line), 1e-9))
