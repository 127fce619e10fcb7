"""The resolved description of a model: what ``config.json`` beside the weights holds.

Importable without torch, so that ``learnir info --help`` stays quick.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a model and to sample from it as it was validated.

    Attributes:
        network: name in NETWORKS; ``network_args`` go to its constructor.
        prediction: name in PREDICTIONS.
        schedule, T: noise schedule and its number of training steps (T = 12 samples in five).
        scales: s(1..T') of the Dynamic Resolution Module.
        correction, weight, eta: DPSC at sampling.
        mirror: estimate the last step on the mirror image too and take the mean of both (the
            field's self-ensemble): a little nearer to the truth for that step's time.
        corrector: constructor arguments of the learned correction branch, None without one.
        work_size: longest side, in pixels, that the pipeline estimates the residual at.
        enlarge: smaller pictures are enlarged by this factor, up to ``work_size``, and what the
            network changes is brought back: patches at its entrance then hold less of a face.
    """

    network: str = "naf"
    network_args: dict[str, Any] = field(default_factory=dict)
    prediction: str = "residual"
    schedule: str = "linear"
    T: int = 12
    scales: tuple[int, ...] = (1, 1, 2, 4, 4)
    correction: str = "exact"
    weight: float = 1.0
    eta: float = 1.0
    mirror: bool = False
    corrector: dict[str, Any] | None = None
    work_size: int = 256
    enlarge: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain types for ``json.dump``."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelConfig:
        """The config of a parsed JSON object.

        ValueError names a field that does not belong, or one whose value is of another kind.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(known))}")
        for name, usual in cls().to_json().items():
            if name in values and not _fits(values[name], usual):
                raise ValueError(f"{name} is {values[name]!r}, of another kind than {usual!r}")
        return cls(**{**values, "scales": tuple(values.get("scales", cls.scales))})


def _fits(value: Any, usual: Any) -> bool:
    """Whether a value of JSON is of the kind of its field's default."""
    if usual is None:
        return value is None or isinstance(value, dict)
    if isinstance(usual, tuple):
        return isinstance(value, list | tuple)
    return type(value) is type(usual) or (isinstance(usual, float) and type(value) is int)
