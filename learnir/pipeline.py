"""LearnIR: a picture in, the restored picture out, of the same size, whatever the size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from learnir.checkpoint import find_checkpoint, load_checkpoint, read_training, save_checkpoint
from learnir.describe import plain_card
from learnir.device import choose_device
from learnir.faces import Square, close_ups, find_faces
from learnir.gain import GainMap, apply_gain
from learnir.images import decode_linear, encode_linear_quickly, from_signed, to_picture, to_signed
from learnir.kinds import restore_like
from learnir.model import LearnIRModel
from learnir.posterior import correction_named
from learnir.resolution import Scales, common_multiple, resolve_scales, scale_at
from learnir.restoration import Restoration, at_strength, check_strength
from learnir.tiling import SMALLEST, NoiseField, count_tiles, restore_tiles, with_smaller_sizes

MODES = ("auto", "gain", "tile")
CARD = "README.md"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sampling:
    """How the sampler runs; None keeps what the checkpoint was validated with."""

    steps: int | None = None
    schedule: str | None = None
    scales: Sequence[int] | str | None = None
    correction: str | None = None
    weight: float | None = None
    eta: float | None = None
    mirror: bool | None = None

    def check(self, model: LearnIRModel) -> Scales:
        """The scales that will be used; ValueError names what does not fit the model."""
        T_prime = model.schedule_for(self.steps, self.schedule).T_prime
        correction = self.correction or model.config.correction
        correction_named(correction)
        if correction == "learned" and model.corrector is None:
            raise ValueError("this checkpoint has no correction branch; use correction 'exact'")
        for name, value in (("weight", self.weight), ("eta", self.eta)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} lies between 0 and 1, got {value}")
        return resolve_scales(self.scales, T_prime, model.scales)


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
        pipeline.card = card.read_text(encoding="utf-8") if card.exists() else None
        return pipeline

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Weights (float16), config, training record and model card, for ``from_pretrained``."""
        folder = save_checkpoint(folder, self.model, self.training or None)
        (folder / CARD).write_text(self.card or plain_card(self.model), encoding="utf-8")
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
                (3, H, W) or (B, 3, H, W) in [0, 1].
        """
        return restore_like(image, lambda picture: self.restore(picture, **options).picture)

    def check(
        self,
        *,
        mode: str = "auto",
        work_size: int | None = None,
        strength: float = 1.0,
        seed: int = 0,  # any will do
        faces: bool = True,  # as well
        **sampling: Any,
    ) -> None:
        """ValueError where ``restore`` would refuse these options, whatever the picture."""
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
        strength: float = 1.0,
        seed: int = 0,
        faces: bool = True,
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
            strength: 0 returns the picture, 1 the restoration; up to 1.5.
            seed: of all noise; equal seeds give equal pictures, in every mode and on every device
                up to rounding.
            faces: look again, closely, at faces that are small in the picture (not with tiles).
            progress: called as (done, total) after every network evaluation; what it raises ends
                the run.
            trajectory: keep a preview of every step (not with tiles).

        Raises ValueError or TypeError for a picture or an option that does not fit.
        """
        _check_picture(picture)
        sampling = Sampling(steps, schedule, scales, correction, weight, eta, mirror)
        work_size = self.config.work_size if work_size is None else work_size
        resolved = _check(self.model, sampling, mode, work_size, strength)
        job = _Job(self._folded, sampling, resolved, NoiseField(seed), progress)
        began = time.perf_counter()
        how, sizes = _plan(picture, mode, work_size, self.config.enlarge)
        looks = faces and how != "tile"
        squares = close_ups(find_faces(picture), *picture.shape[:2]) if looks else []
        limit = min(work_size, self.config.work_size)

        def make(size: int) -> _Made:
            return _make(job, picture, how, size, squares, limit if size == sizes[0] else size)

        with torch.inference_mode():
            made = with_smaller_sizes(make, *sizes)
        result = at_strength(picture, made.gain_map, made.restored, strength)
        seconds = time.perf_counter() - began
        previews = tuple(job.previews) if trajectory and made.mode != "tile" else ()
        return Restoration(
            result, made.gain, made.mode, seconds, previews, picture, made.gain_map, made.restored
        )


def _check_picture(picture: np.ndarray) -> None:
    if not isinstance(picture, np.ndarray) or picture.dtype not in (np.uint8, np.uint16):
        raise TypeError("a picture is a uint8 or uint16 array; see images.from_unit for floats")
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"a picture is RGB, (H, W, 3) and not empty; got {picture.shape}")


def _check(
    model: LearnIRModel, sampling: Sampling, mode: str, work_size: int, strength: float
) -> Scales:
    """The scales of the run; ValueError names the option that does not fit."""
    if mode not in MODES:
        near = get_close_matches(mode, MODES, n=1) or MODES
        raise ValueError(f"unknown mode {mode!r}; did you mean {near[0]!r}?")
    if work_size < SMALLEST:
        raise ValueError(f"work_size is at least {SMALLEST} pixels, got {work_size}")
    check_strength(strength)
    return sampling.check(model)


def _plan(
    picture: np.ndarray, mode: str, work_size: int, enlarge: float
) -> tuple[str, tuple[int, ...]]:
    """How to run, and at which sizes, best first: of the longest side or of the tiles."""
    longest = max(picture.shape[:2])
    if mode == "auto":
        mode = "native" if longest <= work_size else "gain"
    if mode == "native":
        enlarged = min(round(enlarge * longest), work_size)
        return mode, (enlarged, longest) if enlarged > longest else (longest,)
    return mode, (work_size,)


@dataclass(frozen=True)
class _Made:
    mode: str
    gain: np.ndarray
    gain_map: GainMap | None = None
    restored: np.ndarray | None = None


class _Job:
    """One run of the sampler over a picture or over its tiles, with the evaluations counted."""

    def __init__(
        self,
        model: LearnIRModel,
        sampling: Sampling,
        scales: Scales,
        noise: NoiseField,
        progress: Progress | None,
    ) -> None:
        self.model, self.sampling, self.scales = model, sampling, scales
        self.noise, self.progress = noise, progress
        self.start(1)

    def start(self, runs: int) -> None:
        """Sets the counters back for so many runs of the sampler; the first is looked at."""
        self.done, self.total = 0, runs * len(self.scales)
        self.previews: list[tuple[int, int, np.ndarray]] = []

    def run(self, picture: np.ndarray, top: int = 0, left: int = 0) -> np.ndarray:
        """Restored float32 (h, w, 3), signed, of a picture whose corner lies at (top, left)."""
        device = next(self.model.parameters()).device
        h, w = picture.shape[:2]
        signed = to_signed(_at_least(picture, SMALLEST)).transpose(2, 0, 1)[None]
        y = torch.from_numpy(np.ascontiguousarray(signed)).to(device)

        def stepped(t: int, z_0: torch.Tensor) -> None:
            self.done += 1
            if self.done <= len(self.scales):
                f = -(-y.shape[-1] // z_0.shape[-1])
                preview = to_picture(z_0[0, :, : -(-h // f), : -(-w // f)])
                self.previews.append((t, scale_at(self.scales, t), preview))
            if self.progress is not None:
                self.progress(self.done, self.total)

        s = self.sampling
        x = self.model.sample(
            y,
            steps=s.steps,
            schedule=s.schedule,
            scales=self.scales,
            correction=s.correction,
            weight=s.weight,
            eta=s.eta,
            mirror=s.mirror,
            noise=self.noise.at(top, left, device),
            callback=stepped,
        )
        return x[0, :, :h, :w].permute(1, 2, 0).float().cpu().numpy()


def _at_least(picture: np.ndarray, size: int) -> np.ndarray:
    """Mirrored at the bottom and right up to ``size``: the network needs surroundings."""
    H, W = picture.shape[:2]
    missing = ((0, max(size - H, 0)), (0, max(size - W, 0)), (0, 0))
    return np.pad(picture, missing, mode="symmetric")


def _make(
    job: _Job, picture: np.ndarray, how: str, size: int, squares: Sequence[Square], close: int
) -> _Made:
    """One try at ``size``, close-ups at ``close``; called again when memory runs out."""
    if how == "tile" or (how == "native" and size < max(picture.shape[:2])):
        return _by_tiles(job, picture, size)
    job.start(1 + len(squares))
    made = _by_gain(job, picture, size) if how == "gain" else _natively(job, picture, size)
    return _closely(job, picture, made, squares, close) if squares else made


def _natively(job: _Job, picture: np.ndarray, size: int) -> _Made:
    enlarged = size > max(picture.shape[:2])
    signed = _enlarged(job, picture, size) if enlarged else job.run(picture)
    restored = from_signed(signed, picture.dtype.type)
    gain_map = GainMap.between(decode_linear(picture), decode_linear(restored))
    return _Made("native", gain_map.gain, restored=restored)


def _enlarged(job: _Job, picture: np.ndarray, size: int) -> np.ndarray:
    """The picture and what restoring its enlargement changes, brought back to its size."""
    H, W = picture.shape[:2]
    f = size / max(H, W)
    sides = max(round(W * f), 1), max(round(H * f), 1)
    large = cv2.resize(picture, sides, interpolation=cv2.INTER_CUBIC)
    change = job.run(large) - to_signed(large)
    return to_signed(picture) + cv2.resize(change, (W, H), interpolation=cv2.INTER_CUBIC)


def _by_gain(job: _Job, picture: np.ndarray, work_size: int) -> _Made:
    gain_map = _estimate(job, reduce(picture, work_size))
    return _Made("gain", gain_map.gain, gain_map=gain_map)


def _estimate(job: _Job, small: np.ndarray) -> GainMap:
    return GainMap.between(decode_linear(small), _linear(job.run(small)))


def _closely(
    job: _Job, picture: np.ndarray, made: _Made, squares: Sequence[Square], size: int
) -> _Made:
    """The whole picture's restoration, with each close-up's own faded into it in linear light."""
    restored = at_strength(picture, made.gain_map, made.restored, 1.0)
    for square in squares:
        part = np.ascontiguousarray(picture[square.area])
        how = cv2.INTER_AREA if square.side > size else cv2.INTER_CUBIC
        close = apply_gain(part, _estimate(job, cv2.resize(part, (size, size), interpolation=how)))
        far, near = decode_linear(restored[square.area]), decode_linear(close)
        mixed = far + square.weight() * (near - far)
        restored[square.area] = encode_linear_quickly(mixed, picture.dtype.type)
    small = [decode_linear(reduce(p, size)) for p in (picture, restored)]
    return _Made(made.mode, GainMap.between(*small).gain, restored=restored)


def _by_tiles(job: _Job, picture: np.ndarray, tile: int) -> _Made:
    H, W = picture.shape[:2]
    multiple = common_multiple(job.scales)
    job.start(count_tiles(H, W, tile, multiple))
    restored = np.empty_like(picture)

    def restore(rows: slice, columns: slice) -> np.ndarray:
        return job.run(picture[rows, columns], rows.start, columns.start)

    for top, band in restore_tiles(H, W, tile, multiple, restore):
        restored[top : top + len(band)] = from_signed(band, picture.dtype.type)
    small = [decode_linear(reduce(p, job.model.config.work_size)) for p in (picture, restored)]
    return _Made("tile", GainMap.between(*small).gain, restored=restored)


def _linear(signed: np.ndarray) -> np.ndarray:
    return decode_linear(from_signed(signed, np.uint16))


def reduce(picture: np.ndarray, size: int) -> np.ndarray:
    """The longest side at most ``size``, every pixel the mean of those it covers."""
    H, W = picture.shape[:2]
    f = size / max(H, W)
    if f >= 1:
        return picture
    return cv2.resize(
        picture, (max(round(W * f), 1), max(round(H * f), 1)), interpolation=cv2.INTER_AREA
    )
