"""``learnir export``: the whole sampler, every step of it, as one ONNX graph.

Picture in, picture out: the graph holds Algorithm 2 unrolled, with the network's answers to the
signal level of each step folded into its weights. The noise comes in from outside, one input per
draw, so that the result can be compared with this package's own.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from learnir.model import LearnIRModel
from learnir.resolution import common_multiple
from learnir.writing import refusal, write_atomically

CLOSE = 1e-3  # largest difference to PyTorch, of signed values, that is let through
OPSET = 18  # layer normalisation is one node from 17 on


class ExportError(ValueError):
    """A model that cannot be exported, or an export that is not what it should be."""


@dataclass(frozen=True)
class Graph:
    """An exported file.

    Attributes:
        multiple: H and W of the picture must be multiples of this many pixels.
        draws: the scale of every noise input; ``noise_i`` is (1, 3, H / draws[i], W / draws[i]).
        difference: largest difference to PyTorch that was seen in the check.
    """

    path: Path
    multiple: int
    draws: tuple[int, ...]
    difference: float


class Sampler(nn.Module):
    """The sampler of a model with fixed settings, its noise given: (y, noise...) -> restored."""

    def __init__(self, model: LearnIRModel, settings: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.settings = model, settings

    def forward(self, observed: Tensor, *noise: Tensor) -> Tensor:
        return self.model.sample(observed, noise=lambda n, *_: noise[n], **self.settings)

    def draws(self, side: int) -> tuple[int, ...]:
        """The scale of every draw, in order, seen by running once."""
        scales: dict[int, int] = {}

        def draw(number: int, scale: int, shape: tuple[int, ...]) -> Tensor:
            scales[number] = scale
            return torch.zeros(shape)

        with torch.no_grad():
            self.model.sample(torch.zeros(1, 3, side, side), noise=draw, **self.settings)
        return tuple(scales.values())


def export_onnx(model: LearnIRModel, path: str | Path, **settings: Any) -> Graph:
    """Writes the sampler as ONNX and compares it with PyTorch in ONNX Runtime.

    Args:
        settings: of ``LearnIRModel.sample``: steps, scales, schedule, correction, weight, eta,
            mirror.

    Input ``observed`` and output ``restored`` are RGB in [-1, 1], (1, 3, H, W), H and W multiples
    of the network's; ``noise_0``, ... are standard normal. Raises ExportError where the ONNX
    packages are missing, where the graph differs by more than 1e-3 and where the file cannot be
    written, which is tried first; then nothing is.
    """
    _check_packages()
    path, model = Path(path), deepcopy(model).cpu().eval()  # the caller goes on with its own
    if why := "it is a folder" if path.is_dir() else refusal(path.parent):
        raise _unwritable(path, why)
    scales = model.scales_for(
        settings.get("scales"), settings.get("steps"), settings.get("schedule")
    )
    multiple = common_multiple(scales) * int(getattr(model.denoiser, "multiple", 8))
    sampler, folded = Sampler(model, settings), Sampler(model.folded(), settings)
    draws = folded.draws(multiple)  # its constants are worked out here, not in the graph
    data = _exported(folded, draws, multiple, {"scales": scales, "multiple": multiple})
    difference = max(
        _difference(data, sampler, draws, size)
        for size in ((multiple, multiple), (2 * multiple, multiple))
    )
    if difference > CLOSE:
        raise ExportError(f"{path}: differs by {difference:.1e} from PyTorch; not written")
    _write(path, data)
    return Graph(path, multiple, draws, difference)


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from error


def _unwritable(path: Path, why: object) -> ExportError:
    return ExportError(f"{path}: cannot be written ({why}); choose another place")


def noise_for(draws: Sequence[int], H: int, W: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The noise inputs of a picture (H, W) for ONNX Runtime; standard normal, float32."""
    rng = np.random.default_rng(seed)
    shapes = [(1, 3, H // scale, W // scale) for scale in draws]
    return {f"noise_{i}": rng.standard_normal(s, np.float32) for i, s in enumerate(shapes)}


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401

        _runtime()
    except ImportError as error:
        raise ExportError(f"{error}; in the repository run: pip install -e '.[onnx]'") from error


def _runtime() -> Any:
    """ONNX Runtime, which from 1.32 on tells its makers that it is used, unless told not to before
    it is loaded."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _exported(
    sampler: Sampler, draws: Sequence[int], multiple: int, facts: dict[str, Any]
) -> bytes:
    """The graph's bytes; H and W stay free.

    By PyTorch's older exporter, which records one run: its newer one, which reasons about every
    shape, takes ten minutes where this takes half of one.
    """
    import onnx

    side = 2 * multiple
    names, scales = ["observed", *(f"noise_{i}" for i in range(len(draws)))], (1, *draws)
    pictures = tuple(torch.randn(1, 3, side // f, side // f) for f in scales)
    axes = {n: {2: f"H/{f}", 3: f"W/{f}"} for n, f in zip(names, scales, strict=True)}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        made = Path(folder) / "model.onnx"
        warnings.simplefilter("ignore")  # of levels, the same in every run, and of its age
        torch.onnx.export(
            sampler,
            pictures,
            made,
            input_names=names,
            output_names=["restored"],
            dynamic_axes={**axes, "restored": axes["observed"]},
            opset_version=OPSET,
            do_constant_folding=False,  # it would keep the weights once for every step
            dynamo=False,
        )
        proto = onnx.load(str(made))
    described = {**facts, "config": sampler.model.config.to_json(), "draws": list(draws)}
    proto.metadata_props.add(key="learnir", value=json.dumps(described))
    return proto.SerializeToString()


def _difference(
    data: bytes, sampler: Sampler, draws: Sequence[int], size: tuple[int, int]
) -> float:
    run = session(data)
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    half = np.where(columns > 0.5 * rows + 0.2, 0.25, 1.0) * (0.4 + 0.5 * rows)  # a shadow's edge
    y = np.broadcast_to(2 * half - 1, (1, 3, *size)).astype(np.float32)
    noise = noise_for(draws, *size)
    with torch.inference_mode():
        wanted = sampler(torch.from_numpy(y), *map(torch.from_numpy, noise.values())).numpy()
    return float(np.abs(run({"observed": y, **noise}) - wanted).max())


def session(model: str | Path | bytes) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """An exported graph ready to run on the CPU: inputs by name -> restored (1, 3, H, W)."""
    given = model if isinstance(model, bytes) else str(model)
    opened = _runtime().InferenceSession(given, providers=["CPUExecutionProvider"])
    return lambda inputs: opened.run(["restored"], inputs)[0]
