"""Layers of shadow pairs: scenes, their shadows, and the ranges of what is drawn for a pair.

``learnir.training.archive`` reads them, ``learnir.training.drawing`` draws pairs from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

Number = float | Tensor
"""A number, or one for each pair of a batch: (B, 1, 1, 1)."""

MAPS = ("matte", "face", "shade", "gloss", "cloth", "skin", "sky")


@dataclass(frozen=True)
class Ranges:
    """The ranges of what is drawn for every pair.

    The fields without a default are a recipe's (``dataset_tools.recipe.Recipe`` says what each is).
    The others are constants of the renderer, and four things that it leaves out.

    Attributes:
        strong: share with a strong tint of either sign.
        noise_a, noise_b, scattering: drawn log-uniformly.
        jpeg: share of inputs that are compressed.
        bend: edges are bent by S^p; deviations of ln p, of a shadow's p and of its channels' own.
        curve, toe: contrast of the camera behind a shadow (``compositing.Camera``).
        mirrored: what everything mirrors of the ambient light, whatever its own colour.
        highlights: how much of them on skin is the key light's alone, so that a shadow takes it.
    """

    relit: Number
    ambient: tuple[Number, Number]
    ambient_spread: Number
    sky: tuple[Number, Number]
    outdoor: Number
    tint_outdoor: tuple[Number, Number]
    noisy: Number
    warmth: tuple[Number, Number]
    strength: tuple[Number, Number]
    relief: tuple[Number, Number]
    sheen: tuple[Number, Number]
    dyed: Number
    exposure: tuple[Number, Number]
    contrast: tuple[Number, Number]
    saturation: tuple[Number, Number]
    scattering: tuple[Number, Number]
    strong: Number = 0.07
    backdrop: Number = 0.45
    tint_indoor: Number = 0.03
    tint_strong: tuple[Number, Number] = (0.15, 0.35)
    noise_a: tuple[Number, Number] = (3e-5, 5e-4)
    noise_b: tuple[Number, Number] = (1e-7, 3e-6)
    jpeg: Number = 0.25
    quality: tuple[Number, Number] = (60.0, 96.0)
    bend: tuple[Number, Number] = (0.35, 0.05)
    curve: tuple[Number, Number] = (1.0, 1.4)
    toe: tuple[Number, Number] = (0.0, 0.06)
    mirrored: tuple[Number, Number] = (0.0, 0.08)
    highlights: tuple[Number, Number] = (0.0, 0.5)

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Ranges:
        """The ranges of a recipe as an archive states it."""
        stated = {key: recipe[key] for key in RECIPE}
        stated = {k: tuple(v) if isinstance(v, list) else v for k, v in stated.items()}
        mix = {kind: share for kind, share in recipe["mix"].items() if kind != "none"}
        return cls(**stated, strong=mix.get("tint", 0.0) / sum(mix.values()))

    def numbers(self) -> list[Number]:
        """Every number, in order."""
        values = (getattr(self, one.name) for one in fields(self))
        return [n for value in values for n in (value if isinstance(value, tuple) else (value,))]

    def with_numbers(self, numbers: Iterable[Number]) -> Ranges:
        """The same ranges with other numbers."""
        left = iter(numbers)
        values = {
            one.name: (next(left), next(left))
            if isinstance(getattr(self, one.name), tuple)
            else next(left)
            for one in fields(self)
        }
        return Ranges(**values)  # type: ignore[arg-type]


RECIPE = tuple(one.name for one in fields(Ranges) if one.default is MISSING)
"""Fields that a recipe states."""


@dataclass(frozen=True)
class Layers:
    """Scenes to composite pairs from; pictures and maps are uint8.

    Attributes:
        base: (N, 3, H, W).
        maps: (N, 7, H, W), see MAPS.
        shadows: (N, K, H, W), linear visibility before it scatters in the skin.
        backdrops: (M, 3, H, W).
        mm: (N,), millimetres of the face per pixel.
        own: bool (N,), whether a scene keeps the light it has, which "shade" then describes, rather
            than that of a new key.
        cast: (N, K), which of ``ranges`` a shadow is drawn from.
        ranges: those of every recipe.
    """

    base: Tensor
    maps: Tensor
    shadows: Tensor
    backdrops: Tensor
    mm: Tensor
    own: Tensor
    cast: Tensor
    shade_max: float
    sky_max: float
    ranges: tuple[Ranges, ...]

    def __len__(self) -> int:
        return len(self.base)

    def to(self, device: torch.device) -> Layers:
        """The same layers in the memory of ``device``."""
        names = ("base", "maps", "shadows", "backdrops", "mm", "own", "cast")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def ranges_of(self, scenes: Tensor, which: Tensor) -> Ranges:
        """What goes with the numbered shadows (B,) of the numbered ``scenes`` (B,).

        A column (B, 1, 1, 1) for every number.
        """
        numbers = self._numbers[self.cast[scenes, which]]
        return self.ranges[0].with_numbers(numbers.T.reshape(-1, len(which), 1, 1, 1))

    @cached_property
    def _numbers(self) -> Tensor:
        """(recipes, numbers), in the memory of the layers."""
        return torch.tensor([one.numbers() for one in self.ranges], device=self.base.device)


def joined(parts: Iterable[Layers]) -> list[Layers]:
    """Layers of like sizes as one: drawing a batch from them takes no more kernels than from one.

    Their scenes follow each other; what has other sizes stays by itself.
    """
    alike: dict[tuple[Any, ...], list[Layers]] = {}
    for part in parts:
        sizes = (part.base.shape[1:], part.shadows.shape[1:], part.backdrops.shape[1:])
        alike.setdefault((*sizes, part.shade_max, part.sky_max), []).append(part)
    return [group[0] if len(group) == 1 else _concatenated(group) for group in alike.values()]


def _concatenated(group: Sequence[Layers]) -> Layers:
    before = accumulate((len(one.ranges) for one in group), initial=0)
    names = ("base", "maps", "shadows", "backdrops", "mm", "own")
    tensors: Any = {name: torch.cat([getattr(one, name) for one in group]) for name in names}
    return replace(
        group[0],
        **tensors,
        cast=torch.cat([one.cast + first for one, first in zip(group, before, strict=False)]),
        ranges=tuple(ranges for one in group for ranges in one.ranges),
    )
