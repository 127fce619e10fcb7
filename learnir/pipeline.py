"""LearnIR: a picture in, the restored picture out, of the same size, whatever the size."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from learnir.borders import photograph_in, whole_of
from learnir.checkpoint import find_checkpoint, load_checkpoint, read_training, save_checkpoint
from learnir.close_ups import close_ups
from learnir.describe import plain_card
from learnir.device import choose_device
from learnir.faces import find_faces, way_up
from learnir.gain import Strength
from learnir.image_types import restore_like
from learnir.images import from_signed
from learnir.memory import SMALLEST, with_smaller_sizes
from learnir.model import LearnIRModel
from learnir.modes import Job, Progress, Result, Sampling, restore_at
from learnir.names import check_name
from learnir.resolution import Scales
from learnir.restoration import Restoration, at_strength, check_strength, strength_for
from learnir.tiling import NoiseField

MODES = ("auto", "gain", "tile")
CARD = "README.md"
ANY_BYTES = "surrogateescape"  # a card that is not UTF-8 does not stop a restoration


class LearnIR:
    """A restoration model ready for use.

        learnir = LearnIR.from_pretrained()
        restored = learnir(image)                     # PIL, NumPy or torch: same kind, same size
        result = learnir.restore(picture, seed=1)     # a Restoration: gain, mask, any strength

    Attributes:
        model: the LearnIRModel; ``config`` is its ModelConfig; ``device`` where it runs. The first
            picture fixes its weights: changed ones need another LearnIR.
        training: the record of its training, empty when there is none.
    """

    def __init__(self, model: LearnIRModel, training: dict[str, Any] | None = None) -> None:
        self.model = model.eval()
        self.config = model.config
        self.device = next(model.parameters()).device
        self.training = training or {}
        self.card: str | None = None

    @cached_property
    def _folded(self) -> LearnIRModel:
        return self.model.folded()

    @classmethod
    def from_pretrained(
        cls, where: str | os.PathLike[str] | None = None, device: str | torch.device | None = None
    ) -> LearnIR:
        """The model in a local folder or a Hub repository; None is the shipped one.

        Args:
            device: "cpu", "cuda", "cuda:1"; None takes a GPU when there is one.

        Raises CheckpointError for a checkpoint that cannot be used, ValueError for a device that
        this machine does not have.
        """
        folder = find_checkpoint(where)
        pipeline = cls(load_checkpoint(folder, choose_device(device)), read_training(folder))
        card = folder / CARD
        if card.exists():
            pipeline.card = card.read_text(encoding="utf-8", errors=ANY_BYTES)
        return pipeline

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Weights (float16), config, training record and model card, for ``from_pretrained``."""
        folder = save_checkpoint(folder, self.model, self.training or None)
        card = self.card or plain_card(self.model)
        (folder / CARD).write_text(card, encoding="utf-8", errors=ANY_BYTES)
        return folder

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        commit_message: str = "LearnIR checkpoint",
    ) -> str:
        """Uploads what ``save_pretrained`` writes to a Hub repository, created when missing."""
        from tempfile import TemporaryDirectory

        from huggingface_hub import HfApi

        api = HfApi(token=token)
        api.create_repo(repo_id, repo_type="model", private=private, exist_ok=True)
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            commit = api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message=commit_message
            )
        return str(commit)

    def __call__(self, image: Any, **options: Any) -> Any:
        """The restored image, same kind and size; the options are those of ``restore``.

        Args:
            image: PIL image; uint8 or uint16 array (H, W), (H, W, 3), (H, W, 4); float tensor
                (3, H, W) or (B, 3, H, W) in [0, 1], clipped where it is at most 0.05 outside. A map
                of strengths lies over a PIL image as that is shown, upright.

        Raises ValueError or TypeError for an image or an option that does not fit.
        """
        return restore_like(image, lambda picture: self.restore(picture, **options).picture)

    def check(
        self,
        *,
        mode: str = "auto",
        work_size: int | None = None,
        strength: Strength = 1.0,
        seed: int = 0,
        faces: bool = True,
        borders: bool = True,
        **sampling: Any,
    ) -> None:
        """ValueError where ``restore`` would refuse these options, whatever the picture.

        ``seed``, ``faces`` and ``borders`` are taken as ``restore`` takes them: any will do.
        """
        work_size = self.config.work_size if work_size is None else work_size
        _check(self.model, Sampling(**sampling), mode, work_size, strength)

    def restore(
        self,
        picture: np.ndarray,
        *,
        mode: str = "auto",
        work_size: int | None = None,
        steps: int | None = None,
        scales: Sequence[int] | str | None = None,
        schedule: str | None = None,
        correction: str | None = None,
        weight: float | None = None,
        eta: float | None = None,
        mirror: bool | None = None,
        strength: Strength = 1.0,
        seed: int = 0,
        faces: bool = True,
        borders: bool = True,
        progress: Progress | None = None,
        trajectory: bool = False,
    ) -> Restoration:
        """Restores one picture.

        Args:
            picture: uint8 or uint16 RGB (H, W, 3), any size.
            mode: "gain" estimates at the working resolution and relights the full-size picture;
                "tile" runs the network at native resolution in overlapping tiles; "auto" runs it
                over the whole picture (enlarged as the config says) up to the working
                resolution, else by gain.
            work_size: longest side, in pixels, that the network sees at once; None is the config's.
            steps, scales, schedule, correction, weight, eta, mirror: see ``LearnIRModel.sample``.
            strength: 0 returns the picture, 1 the restoration; up to 1.5. Or a float map (h, w) of
                any size with the picture's proportions: where it is 0, the picture stays as it is,
                to the last bit.
            seed: of all noise; equal seeds give equal pictures, in every mode and on every device
                up to rounding.
            faces: turn a picture for the network if its face lies on its side or upside down, and
                restore faces that do not fill it again, as close-ups (not with tiles). Neither is
                done where MediaPipe does not load: a warning says so once.
            borders: leave bars of one colour around a photograph as they are, and out of what the
                network sees.
            progress: called as (done, total) after every network evaluation, that of all close-ups
                together counting each; what it raises ends the run.
            trajectory: keep a preview of every step (not with tiles).

        Raises ValueError or TypeError for a picture or an option that does not fit.
        """
        _check_picture(picture)
        sampling = Sampling(steps, schedule, scales, correction, weight, eta, mirror)
        work_size = self.config.work_size if work_size is None else work_size
        resolved = _check(self.model, sampling, mode, work_size, strength)
        strength = strength_for(strength, picture.shape[:2])
        job = Job(self._folded, sampling, resolved, NoiseField(seed), progress, trajectory)
        began = time.perf_counter()
        region = photograph_in(picture) if borders else whole_of(picture)
        quarters = way_up(picture[region]) if faces else 0
        upright = np.ascontiguousarray(np.rot90(picture[region], quarters))
        result = self._run(job, upright, mode, work_size, faces)
        uniform = 1.0 if isinstance(strength, np.ndarray) else strength
        restored = Restoration(
            picture=at_strength(upright, result.gain_map, result.restored, uniform),
            gain=result.gain,
            mode=result.mode,
            seconds=time.perf_counter() - began,
            trajectory=tuple(job.previews) if result.mode != "tile" else (),
            observed=upright,
            gain_map=result.gain_map,
            restored=result.restored,
        )
        restored = restored.turned(-quarters).within(picture, region, uniform)
        if isinstance(strength, np.ndarray):  # which lies over the picture as it was given
            return replace(restored, picture=restored.at_strength(strength))
        return restored

    def _run(self, job: Job, picture: np.ndarray, mode: str, work_size: int, faces: bool) -> Result:
        """The upright photograph restored, with close-ups, at sizes that memory suffices for."""
        mode, sizes = _plan(picture, mode, work_size, self.config.enlarge)
        found = find_faces(picture) if faces and mode != "tile" else []
        squares = close_ups(found, *picture.shape[:2])
        usual = min(work_size, self.config.work_size)

        def at(size: int) -> Result:
            close = usual if size == sizes[0] else size  # after memory ran out, smaller as well
            return restore_at(job, picture, mode, size, squares, close)

        with self._inference():
            return with_smaller_sizes(at, *sizes)

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """No gradients, and full precision where the caller's own network runs with less."""
        with torch.inference_mode(), torch.autocast(self.device.type, enabled=False):
            yield

    def restore_all(
        self,
        pictures: np.ndarray,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        **sampling: Any,
    ) -> np.ndarray:
        """Restores small pictures of one size together, which takes less time than one by one.

        Args:
            pictures: uint8 or uint16 RGB (n, H, W, 3), n > 0. The network sees them as they are:
                no close-ups, no enlargement, no limit but memory.
            seed, progress, sampling: as of ``restore``; all are restored under the same noise.

        Returns (n, H, W, 3) of the same dtype. Raises ValueError or TypeError as ``restore`` does.
        """
        for picture in pictures:
            _check_picture(picture)
        options = Sampling(**sampling)
        job = Job(self._folded, options, options.check(self.model), NoiseField(seed), progress)
        job.start(len(pictures))
        with self._inference():
            return from_signed(job.run_all(pictures), pictures.dtype.type)


def _check_picture(picture: np.ndarray) -> None:
    if not isinstance(picture, np.ndarray) or picture.dtype not in (np.uint8, np.uint16):
        given = getattr(picture, "dtype", type(picture).__name__)
        raise TypeError(
            f"a picture is a uint8 or uint16 array, not {given}; see images.from_unit for floats"
        )
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"a picture is RGB, (H, W, 3) and not empty; got {picture.shape}")


def _check(
    model: LearnIRModel, sampling: Sampling, mode: str, work_size: int, strength: Strength
) -> Scales:
    """The scales of the run; ValueError names the option that does not fit."""
    check_name("mode", mode, MODES)
    if work_size < SMALLEST:
        raise ValueError(f"work_size is at least {SMALLEST} pixels, got {work_size}")
    check_strength(strength)
    return sampling.check(model)


def _plan(
    picture: np.ndarray, mode: str, work_size: int, enlarge: float
) -> tuple[str, tuple[int, ...]]:
    """The mode to run in, and the sizes (of the longest side, or of tiles) to try, best first."""
    longest = max(picture.shape[:2])
    if mode == "auto":
        mode = "native" if longest <= work_size else "gain"
    if mode == "native":
        enlarged = min(round(enlarge * longest), work_size)
        return mode, (enlarged, longest) if enlarged > longest else (longest,)
    return mode, (work_size,)
