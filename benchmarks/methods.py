"""Methods under test. Every one turns a uint8 RGB picture into one of the same size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from benchmarks.arguments import WITH_MASK
from benchmarks.classical import dark_channel, region_transfer, retinex
from benchmarks.names import BenchmarkError, look_up
from benchmarks.pairs import Pair

MaskUse = Literal["none", "detected", "ground truth", "unknown"]


@dataclass(frozen=True)
class MethodCard:
    """What a reader must know of a method to read its row.

    Attributes:
        settled: whether equal cards mean equal results, so that a finished run need not be
            repeated; not so for commands and code that may have changed since.
        runs: where the pictures are made: "here" (time and memory are measured), "elsewhere" in
            another process (time only), or "before", a folder of results (neither).
    """

    name: str
    mask: MaskUse = "none"
    training_data: str = "none"
    source: str = ""
    stochastic: bool = False
    parameters: int | None = None
    macs: int | None = None
    macs_size: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    settled: bool = True
    runs: Literal["here", "elsewhere", "before"] = "here"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for result files."""
        return {**asdict(self), "settings": dict(self.settings)}


class Method(Protocol):
    """What the runner needs."""

    @property
    def card(self) -> MethodCard:
        """What a reader must know."""
        ...

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        """uint8 RGB, the size of ``pair.input``; never looks at ``pair.target``."""
        ...


@dataclass(frozen=True)
class MethodOptions:
    """What a command line may say about a method.

    Attributes:
        mask, training_data, source: of an outside method, as its author states them.
    """

    checkpoint: str | None = None
    device: str | None = None
    mask: MaskUse = "none"
    training_data: str = "unknown"
    name: str | None = None
    source: str = ""
    timeout: float = 600.0


Function = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class FunctionMethod:
    """A plain function of the picture and, where it uses one, the mask."""

    card: MethodCard
    function: Function

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        masked = self.card.mask == WITH_MASK
        return self.function(pair.input, mask_of(pair, self.card) if masked else None)


def mask_of(pair: Pair, card: MethodCard) -> np.ndarray:
    """The mask that a method is given, uint8 (H, W): nonzero in shadow. BenchmarkError for none."""
    if pair.mask is None:
        raise BenchmarkError(f"{card.name} on {pair.key}: needs a mask, there is none")
    return pair.mask


def do_nothing(picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """The input itself: the row with which all others are compared."""
    return picture


FUNCTIONS = (
    FunctionMethod(MethodCard("input", source="the degraded picture"), do_nothing),
    FunctionMethod(MethodCard("dark-channel", source="He 2009, guided filter 2010"), dark_channel),
    FunctionMethod(MethodCard("retinex", source="Jobson 1997, multi-scale, luminance"), retinex),
    FunctionMethod(
        MethodCard("region-transfer", "detected", source="Reinhard 2001, Otsu"), region_transfer
    ),
    FunctionMethod(
        MethodCard("region-transfer-gt-mask", "ground truth", source="Reinhard 2001"),
        region_transfer,
    ),
)
"""Methods that take no options."""


def _without_options(method: Method) -> Callable[[MethodOptions], Method]:
    return lambda options: method


def _learnir(name: str, settings: Mapping[str, Any]) -> Callable[[MethodOptions], Method]:
    def make(options: MethodOptions) -> Method:
        from benchmarks.learnir_methods import LearnIRMethod

        return LearnIRMethod.load(name, settings, options)

    return make


def _once(options: MethodOptions) -> Method:
    from benchmarks.learnir_methods import one_evaluation

    return one_evaluation("learnir-once", options)


def _regression(options: MethodOptions) -> Method:
    from benchmarks.learnir_methods import regression

    return regression(options)


LEARNIR: dict[str, dict[str, Any]] = {
    "learnir": {},
    "learnir-no-dpsc": {"correction": "none"},
    "learnir-no-drm": {"scales": "fixed"},
    "learnir-neither": {"correction": "none", "scales": "fixed"},
}
"""Settings of ``LearnIR.restore`` that are not the checkpoint's own, by method."""

METHODS: dict[str, Callable[[MethodOptions], Method]] = {
    **{method.card.name: _without_options(method) for method in FUNCTIONS},
    **{name: _learnir(name, settings) for name, settings in LEARNIR.items()},
    "learnir-once": _once,
    "regression": _regression,
}

SCHEMES: Mapping[str, str] = {
    "results:": "a folder of result pictures, one per key",
    "python:": "module:function taking and returning uint8 RGB (H, W, 3); seed= where it has that "
    "parameter, mask= by --mask 'ground truth'",
    "exec:": "a command with {input} and {output}, {seed} when it draws at random, {mask} by "
    "--mask 'ground truth'",
    "gradio:": "the address of a Gradio endpoint, optionally URL#api_name",
}


def make_method(name: str, options: MethodOptions | None = None) -> Method:
    """A named method, or one given as results:FOLDER, python:M:F, exec:COMMAND, gradio:URL."""
    options = options or MethodOptions()
    scheme, _, rest = name.partition(":")
    if rest and f"{scheme}:" in SCHEMES:
        from benchmarks import outside

        return outside.OUTSIDE[scheme](rest, options)
    return look_up("method", name, METHODS)(options)


def checked_result(result: Any, pair: Pair, method: str) -> np.ndarray:
    """The result, or one line that says what is wrong with it: nothing is silently repaired."""
    if not isinstance(result, np.ndarray) or result.dtype != np.uint8:
        kind = getattr(result, "dtype", type(result).__name__)
        raise BenchmarkError(f"{method} on {pair.key}: returned {kind}; return uint8 RGB (H, W, 3)")
    if result.shape != pair.input.shape:
        raise BenchmarkError(
            f"{method} on {pair.key}: returned {result.shape} for {pair.input.shape}; "
            "results are never resized: return the input's size"
        )
    return result


def safe_folder(path: str) -> Path:
    """An existing folder, or one line."""
    folder = Path(path)
    if not folder.is_dir():
        raise BenchmarkError(f"{folder}: no such folder of results")
    return folder
