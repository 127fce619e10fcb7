"""Pairs composited anew at every step from an archive of layers (``faceshadow pack``)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import log
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from learnir.training import compositing as light
from learnir.training.data import PairError

MAPS = ("matte", "face", "shade", "gloss")


@dataclass(frozen=True)
class Ranges:
    """What is drawn for every pair; the values of ``dataset_tools``' recipe "faceshadow".

    ambient, noise_a, noise_b are log-uniform. outdoor: share with a bluish ambient light, mean and
    deviation in ``tint_outdoor``; strong: share with a strong tint of either sign. exposure (stops)
    and warmth apply to input and target alike. jpeg: share of inputs compressed.
    """

    relit: float = 0.6
    backdrop: float = 0.45
    ambient: tuple[float, float] = (0.07, 0.30)
    spread: float = 0.28
    outdoor: float = 0.8
    tint_outdoor: tuple[float, float] = (0.20, 0.07)
    tint_indoor: float = 0.03
    strong: float = 0.07
    tint_strong: tuple[float, float] = (0.15, 0.35)
    noisy: float = 0.6
    noise_a: tuple[float, float] = (3e-5, 5e-4)
    noise_b: tuple[float, float] = (1e-7, 3e-6)
    exposure: float = 0.35
    warmth: float = 0.08
    jpeg: float = 0.25
    quality: tuple[float, float] = (60.0, 96.0)


@dataclass(frozen=True)
class Layers:
    """Decoded archive, uint8. base (N, 3, H, W); maps (N, 4, H, W), see MAPS; shadows
    (N, K, 3, H, W), linear visibility after scattering; backdrops (M, 3, H, W)."""

    base: Tensor
    maps: Tensor
    shadows: Tensor
    backdrops: Tensor
    shade_max: float

    def __len__(self) -> int:
        return len(self.base)

    def to(self, device: torch.device) -> Layers:
        """The same layers in the memory of ``device``."""
        base, maps, shadows = (t.to(device) for t in (self.base, self.maps, self.shadows))
        return Layers(base, maps, shadows, self.backdrops.to(device), self.shade_max)


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` names an archive of layers rather than a folder of pairs."""
    return Path(path).suffix == ".npz"


def load_layers(paths: Sequence[str | os.PathLike[str]]) -> Layers:
    """The scenes of one or more archives, decoded; PairError for a file that is none."""
    parts = [_load(Path(path)) for path in paths]

    def joined(name: str) -> Tensor:
        return torch.cat([getattr(part, name) for part in parts])

    pictures = {name: joined(name) for name in ("base", "maps", "shadows", "backdrops")}
    return Layers(**pictures, shade_max=parts[0].shade_max)


def _load(path: Path) -> Layers:
    try:
        with np.load(path) as archive:
            about = json.loads(archive["about"].tobytes())
            ends, blob = archive["lengths"].cumsum(), archive["blob"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise PairError(
            f"{path}: no archive of layers ({error}); make one with faceshadow pack"
        ) from error
    files = [blob[end - n : end] for end, n in zip(ends, np.diff(ends, prepend=0), strict=True)]
    per = 2 + about["shadows"]
    scenes = [files[i * per : (i + 1) * per] for i in range(about["scenes"])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        base = list(pool.map(_colour, [s[0] for s in scenes]))
        maps = list(pool.map(_maps, [s[1] for s in scenes]))
        shadows = list(pool.map(_shadows, [s[2:] for s in scenes]))
        backdrops = list(pool.map(_colour, files[about["scenes"] * per :]))
    pictures = {"base": base, "maps": maps, "shadows": shadows, "backdrops": backdrops}
    stacks = {name: torch.from_numpy(np.stack(part)) for name, part in pictures.items()}
    return Layers(**stacks, shade_max=about["shade_max"])


def _colour(data: np.ndarray) -> np.ndarray:
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1)


def _maps(data: np.ndarray) -> np.ndarray:
    return np.stack(np.split(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), len(MAPS), axis=1))


def _shadows(files: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([_colour(data) for data in files])


@dataclass(frozen=True)
class _Draws:
    """Random numbers of one batch: each a function of the generator's state alone."""

    count: int
    generator: torch.Generator

    def uniform(self, low: float, high: float) -> Tensor:
        u = torch.rand(self.count, 1, 1, 1, generator=self.generator, device=self.generator.device)
        return low + (high - low) * u

    def log_uniform(self, low: float, high: float) -> Tensor:
        return self.uniform(log(low), log(high)).exp()

    def normal(self, mean: float, deviation: float) -> Tensor:
        return mean + deviation * self.white(1, 1, 1)

    def happens(self, share: float) -> Tensor:
        return (self.uniform(0, 1) < share).float()

    def white(self, *shape: int) -> Tensor:
        device = self.generator.device
        return torch.randn(self.count, *shape, generator=self.generator, device=device)


def draw_pairs(
    layers: Layers,
    scenes: Tensor,
    size: int,
    view: tuple[float, float],
    clean: float,
    generator: torch.Generator,
    ranges: Ranges = Ranges(),
) -> tuple[Tensor, Tensor]:
    """Input and target, signed (B, 3, size, size), for the numbered ``scenes`` (B,).

    Each gets a random shadow of its scene, crop, light and colour; a share ``clean`` gets none.
    """
    draws = _Draws(len(scenes), generator)
    base, maps, visible = _views(layers, scenes, size, view, draws)
    visible = torch.where(draws.happens(clean) > 0, torch.ones_like(visible), visible)
    colour = light.ambient_colour(draws.log_uniform(*ranges.ambient), _tint(draws, ranges))
    wave = light.upsampled(draws.white(1, 4, 4), size)
    ambient = light.ambient_field(colour, wave, ranges.spread)
    look = _looks(layers, size, draws, ranges)
    lit, stays = light.relight(base, maps, ambient, look)
    relit = draws.happens(ranges.relit)
    base, stays = light.mix(lit, base, relit), light.mix(stays, ambient, relit)
    base = base * _white_balance(draws, ranges)
    darkened = light.composite(base, stays, visible)
    noise = _noise(base, darkened, draws, ranges)
    target = light.mix(light.shoulder(base), base, relit)
    observed = light.mix(light.shoulder(darkened), darkened, relit) + noise
    observed = _compressed(light.encode(observed), draws, ranges)
    return _levels(observed) * 2 - 1, light.encode(target) * 2 - 1


def _views(
    layers: Layers, scenes: Tensor, size: int, view: tuple[float, float], draws: _Draws
) -> tuple[Tensor, light.Maps, Tensor]:
    """The same random square of all layers, mirrored at random; pictures in linear light."""
    which = draws.uniform(0, layers.shadows.shape[1]).view(-1).long()
    stack = torch.cat(
        [layers.base[scenes], layers.maps[scenes], layers.shadows[scenes, which]], dim=1
    )
    side = draws.uniform(*view)
    slack = (1 - side).abs()
    x, y = slack * draws.uniform(-1, 1), slack * draws.uniform(-1, 1)
    flip = 1 - 2 * draws.happens(0.5)
    zero = torch.zeros_like(side)
    move = torch.cat([flip * side, zero, x, zero, side, y], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(move, [len(scenes), 1, size, size], align_corners=False)
    seen = F.grid_sample(stack.float() / 255, grid, padding_mode="reflection", align_corners=False)
    person, face, shade, gloss = (seen[:, i : i + 1] for i in range(3, 7))
    maps = light.Maps(person, face, shade * layers.shade_max, gloss)
    return light.decode(seen[:, :3]), maps, seen[:, 7:]


def _tint(draws: _Draws, ranges: Ranges) -> Tensor:
    indoor = draws.normal(0, ranges.tint_indoor)
    outdoor = draws.normal(*ranges.tint_outdoor).clamp(-0.05, 0.35)
    tint = light.mix(outdoor, indoor, draws.happens(ranges.outdoor))
    strong = draws.uniform(*ranges.tint_strong) * (1 - 2 * draws.happens(0.5))
    return light.mix(strong, tint, draws.happens(ranges.strong))


def _looks(layers: Layers, size: int, draws: _Draws, ranges: Ranges) -> light.Looks:
    """A look between overcast and hard sunlight (``dataset_tools.relight.draw_look``)."""
    dark, lit = draws.uniform(0.01, 0.2), draws.normal(-0.2, 0.5).exp()
    which = draws.uniform(0, len(layers.backdrops)).view(-1).long()
    backdrop = F.interpolate(layers.backdrops[which].float() / 255, size=(size, size), mode="area")
    return light.Looks(
        strength=draws.uniform(0.45, 1.0),
        warmth=draws.normal(0.05, 0.07),
        exposure=draws.normal(0.4, 0.3).exp(),
        contrast=draws.uniform(0.75, 1.2),
        saturation=draws.uniform(0.85, 1.2),
        gloss=draws.normal(0.02, 0.03).clamp(min=0),
        background=light.mix(dark, lit, draws.happens(0.2)),
        has_backdrop=draws.happens(ranges.backdrop),
        backdrop=light.decode(backdrop),
    )


def _white_balance(draws: _Draws, ranges: Ranges) -> Tensor:
    warmth = draws.uniform(-ranges.warmth, ranges.warmth)
    gain = torch.cat([1 + warmth, torch.ones_like(warmth), 1 - warmth], dim=1)
    return gain * 2 ** draws.uniform(-ranges.exposure, ranges.exposure)


def _noise(base: Tensor, darkened: Tensor, draws: _Draws, ranges: Ranges) -> Tensor:
    a, b = draws.log_uniform(*ranges.noise_a), draws.log_uniform(*ranges.noise_b)
    noise = light.sensor_noise(base, darkened, a, b, draws.white(*base.shape[1:]))
    return noise * draws.happens(ranges.noisy)


def _compressed(unit: Tensor, draws: _Draws, ranges: Ranges) -> Tensor:
    return light.mix(
        light.jpeg(unit, draws.uniform(*ranges.quality)), unit, draws.happens(ranges.jpeg)
    )


def _levels(unit: Tensor) -> Tensor:
    """Rounded to the 256 levels of a file."""
    return (unit.clamp(0, 1) * 255).round() / 255
