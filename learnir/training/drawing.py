"""Pairs composited anew at every step: each gets a shadow of its scene, a light and a camera."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from learnir.resolution import area_mean
from learnir.training import compositing as light
from learnir.training.dye import Dyes, dyed
from learnir.training.layers import Layers, Number, Ranges


@dataclass(frozen=True)
class Draws:
    """Random numbers of one batch: each a function of the generator's state alone."""

    count: int
    generator: torch.Generator

    def uniform(self, low: Number, high: Number) -> Tensor:
        u = torch.rand(self.count, 1, 1, 1, generator=self.generator, device=self.generator.device)
        return low + (high - low) * u

    def log_uniform(self, low: Number, high: Number) -> Tensor:
        return self.uniform(_log(low), _log(high)).exp()

    def normal(self, mean: Number, deviation: Number) -> Tensor:
        return mean + deviation * self.white(1, 1, 1)

    def happens(self, share: Number) -> Tensor:
        return (self.uniform(0, 1) < share).float()

    def white(self, *shape: int) -> Tensor:
        device = self.generator.device
        return torch.randn(self.count, *shape, generator=self.generator, device=device)


def _log(value: Number) -> Number:
    return value.log() if isinstance(value, Tensor) else log(value)


def draw_pairs(
    layers: Layers,
    scenes: Tensor,
    size: int,
    view: tuple[float, float],
    clean: float,
    generator: torch.Generator,
    turn: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Input and target, signed (B, 3, size, size), for the numbered ``scenes`` (B,).

    Each gets a random shadow of its scene, crop, light and cloth, and is turned by up to ``turn``
    degrees either way; a share ``clean`` gets no shadow.
    """
    draws = Draws(len(scenes), generator)
    which = draws.uniform(0, layers.shadows.shape[1]).view(-1).long()
    ranges = layers.ranges_of(scenes, which)
    camera = light.Camera(draws.uniform(*ranges.curve), draws.uniform(*ranges.toe))
    base, maps, visible = _views(layers, scenes, which, size, view, turn, camera, draws)
    visible = light.scattered(visible, maps.skin, maps.mm / draws.log_uniform(*ranges.scattering))
    visible = light.bent(visible, draw_powers(draws, ranges))
    visible = torch.where(draws.happens(clean) > 0, torch.ones_like(visible), visible)
    share, tint = draws.log_uniform(*ranges.ambient), _tint(draws, ranges)
    wave = light.upsampled(draws.white(1, 4, 4), size)
    sky = maps.sky ** draws.uniform(*ranges.sky)
    # how uneven shadows are was measured on finished photographs: the curve is in it already
    seen = light.ambient_field(share, wave, ranges.ambient_spread, sky)
    ambient = light.ambient_colour(camera.inverse(seen), tint).clamp(max=1)
    around = light.luminance(ambient)
    if any(one.dyed for one in layers.ranges):
        changed = dyed(base, maps.cloth, _dyes(draws))
        base = light.mix(changed, base, draws.happens(ranges.dyed))
    look = _looks(layers, size, draws, ranges)
    lit, ambient_lit = light.relight(
        light.decontaminated(base, maps), maps, ambient, look, base, camera
    )
    own = layers.own[scenes].view(-1, 1, 1, 1).float()
    ambient = light.mix(light.own_share(ambient, camera.inverse(maps.shade)), ambient, own)
    relit = draws.happens(ranges.relit) * (1 - own)
    base, ambient = light.mix(lit, base, relit), light.mix(ambient_lit, ambient, relit)
    m = draws.uniform(*ranges.mirrored)
    ambient = light.beside_mirrored(ambient, m, around)
    mirrored = light.mirrored_light(m, around, ambient, visible)
    lost = draws.uniform(*ranges.highlights) * light.highlights(base, maps.skin, maps.mm)
    darkened = light.composite(base, ambient * (1 - lost), visible) + mirrored
    darkened = camera.apply(darkened, base)
    f = reduction(layers, size)
    noise = _noise(base, darkened, draws, ranges) / f
    target = light.mix(light.shoulder(base), base, relit)
    observed = light.mix(light.shoulder(darkened), darkened, relit) + noise
    observed = light.encode(observed)
    if f == 1:  # means of blocks keep next to nothing of what compression does
        observed = _compressed(observed, draws, ranges)
    return _levels(observed) * 2 - 1, light.encode(target) * 2 - 1


def reduction(layers: Layers, size: int) -> int:
    """How many stored pixels, along a side, go into one of a picture of ``size``."""
    return max(layers.base.shape[-1] // size, 1)


def _views(
    layers: Layers,
    scenes: Tensor,
    which: Tensor,
    size: int,
    view: tuple[float, float],
    turn: float,
    camera: light.Camera,
    draws: Draws,
) -> tuple[Tensor, light.Maps, Tensor]:
    """The same random square of all layers, mirrored and turned; pictures in linear light."""
    f = reduction(layers, size)
    pictures = area_mean(torch.cat([layers.base[scenes], layers.maps[scenes]], dim=1) / 255, f)
    shadows = layers.shadows[scenes, which].unsqueeze(1) / 255
    visible = light.reduced_visibility(shadows, f, camera)
    stack = torch.cat([pictures, visible], dim=1)
    side = draws.uniform(*view)
    slack = (1 - side).abs()
    x, y = slack * draws.uniform(-1, 1), slack * draws.uniform(-1, 1)
    flip = 1 - 2 * draws.happens(0.5)
    angle = draws.uniform(-turn, turn) * (pi / 180)
    along, across = side * angle.cos(), side * angle.sin()
    affine = torch.cat([flip * along, -across, x, flip * across, along, y], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(affine, [len(scenes), 1, size, size], align_corners=False)
    seen = F.grid_sample(
        stack, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    ).clamp(0, 1)
    base, (person, face, shade, gloss, cloth, skin, sky, visible) = (
        seen[:, :3],
        seen[:, 3:].split(1, 1),
    )
    mm = layers.mm[scenes].view(-1, 1, 1, 1) * side * (layers.base.shape[-1] / size)
    shade, sky = shade * layers.shade_max, sky * layers.sky_max
    maps = light.Maps(person, face, shade, gloss, cloth, skin, sky, mm)
    return light.decode(base), maps, visible


def draw_powers(draws: Draws, ranges: Ranges) -> Tensor:
    """(B, 3, 1, 1): how light falls off within skin and penumbra is a model; people differ."""
    together, apart = ranges.bend
    return (together * draws.white(1, 1, 1) + apart * draws.white(3, 1, 1)).exp()


def _tint(draws: Draws, ranges: Ranges) -> Tensor:
    indoor = draws.normal(0, ranges.tint_indoor)
    outdoor = draws.normal(*ranges.tint_outdoor).clamp(-0.05, 0.35)
    tint = light.mix(outdoor, indoor, draws.happens(ranges.outdoor))
    strong = draws.uniform(*ranges.tint_strong) * (1 - 2 * draws.happens(0.5))
    return light.mix(strong, tint, draws.happens(ranges.strong))


def _dyes(draws: Draws) -> Dyes:
    """From black to white, mostly grey (``dataset_tools.dye.draw_dye``)."""
    vivid = 0.05 + 0.20 * draws.happens(0.25)
    return Dyes(
        level=draws.log_uniform(0.012, 0.5),
        contrast=draws.uniform(0.15, 0.9),
        colour=(vivid * draws.white(3, 1, 1)).exp(),
        saturation=draws.uniform(0, 1),
    )


def _looks(layers: Layers, size: int, draws: Draws, ranges: Ranges) -> light.Looks:
    """A look between overcast and hard sunlight (``dataset_tools.relight.draw_look``)."""
    dark, lit = draws.uniform(0.01, 0.2), draws.normal(-0.2, 0.5).exp()
    which = draws.uniform(0, len(layers.backdrops)).view(-1).long()
    backdrop = F.interpolate(layers.backdrops[which].float() / 255, size=(size, size), mode="area")
    return light.Looks(
        strength=draws.uniform(*ranges.strength),
        warmth=draws.normal(*ranges.warmth),
        exposure=draws.normal(*ranges.exposure).exp(),
        contrast=draws.uniform(*ranges.contrast),
        saturation=draws.uniform(*ranges.saturation),
        gloss=draws.normal(0.02, 0.03).clamp(min=0),
        relief=draws.uniform(*ranges.relief),
        sheen=draws.uniform(*ranges.sheen),
        background=light.mix(dark, lit, draws.happens(0.2)),
        has_backdrop=draws.happens(ranges.backdrop),
        backdrop=light.decode(backdrop),
    )


def _noise(base: Tensor, darkened: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    a, b = draws.log_uniform(*ranges.noise_a), draws.log_uniform(*ranges.noise_b)
    noise = light.sensor_noise(base, darkened, a, b, draws.white(*base.shape[1:]))
    return noise * draws.happens(ranges.noisy)


def _compressed(unit: Tensor, draws: Draws, ranges: Ranges) -> Tensor:
    return light.mix(
        light.jpeg(unit, draws.uniform(*ranges.quality)), unit, draws.happens(ranges.jpeg)
    )


def _levels(unit: Tensor) -> Tensor:
    """Rounded to the 256 levels of a file."""
    return (unit.clamp(0, 1) * 255).round() / 255
