"""Which landmarker found a face: what caches, shards and data sets know it by.

A path says little: another file may lie there tomorrow, and MediaPipe's own models come with its
version.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from dataset_tools.files import file_hash
from dataset_tools.landmarks import LandmarkError

LAYOUT = 2  # of what is kept of a face, and of what is measured; to be raised when either changes
SEGMENTER = "selfie_segmenter.tflite"


@dataclass(frozen=True)
class Landmarker:
    """The models that found a face.

    Attributes:
        mediapipe: its version.
        task: SHA-256 of the face_landmarker.task; "" is the model that MediaPipe brings.
        segmenter: SHA-256 of the selfie_segmenter.tflite beside it; "" is the bundled one.
    """

    mediapipe: str
    task: str = ""
    segmenter: str = ""

    @property
    def name(self) -> str:
        """What a landmark cache calls it, in one line."""
        models = f"task {self.task or 'bundled'}, segmenter {self.segmenter or 'bundled'}"
        return f"mediapipe {self.mediapipe}, {models}, layout {LAYOUT}"

    def record(self) -> dict[str, str]:
        """For faceshadow.json."""
        return asdict(self)

    @classmethod
    def of(cls, record: Any) -> Self | None:
        """The same read back; None where a data set does not say, as those of older versions."""
        known = record if isinstance(record, dict) else {}
        values = {f.name: str(known[f.name]) for f in fields(cls) if f.name in known}
        return cls(**values) if "mediapipe" in values else None


def identify(model: str | Path = "") -> Landmarker:
    """The landmarker of a .task file, empty = bundled, without loading it.

    LandmarkError where there is no such file, ModuleNotFoundError without MediaPipe.
    """
    if not model:
        return Landmarker(version("mediapipe"))
    path = Path(model)
    if not path.is_file():
        raise LandmarkError(f"{path}: no such file; give a face_landmarker.task")
    segmenter = path.with_name(SEGMENTER)
    used = segmenter.is_file() and not carries_models()
    return Landmarker(version("mediapipe"), _hash(path), _hash(segmenter) if used else "")


def _hash(path: Path) -> str:
    stat = path.stat()
    return _hash_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _hash_of(path: Path, _changed: int, _size: int) -> str:
    """Read once a process, unless the file changes: every bucket of landmarks asks."""
    return file_hash(path)


def carries_models() -> bool:
    """Whether this MediaPipe is one that brings models with it, as 0.10.21; imports nothing."""
    found = find_spec("mediapipe")
    places = (found.submodule_search_locations if found else None) or ()
    return any((Path(place) / "python" / "solutions").is_dir() for place in places)
