"""The shadow renderer's photometry for whole batches on any device.

The equations are those of ``dataset_tools`` (``photometry``, ``relight``, ``fringe``),
which render one pair at a time in NumPy; a test holds the two to the same numbers. Pictures are
linear light (B, 3, H, W), maps (B, 1, H, W), drawn parameters (B, 1, 1, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from learnir.images import LUMINANCE
from learnir.resolution import area_mean

SKEW = 0.5  # dataset_tools.photometry
SKIN = 0.2  # luminance of the skin on which shadows keep their depth behind a curve
LIT_SKIN = 0.3  # luminance of skin that shadows, mirrored light included, were measured on
TYPICAL = 0.15  # ambient share in a shadow of typical depth, as shown
RIM_MM = 2.0  # dataset_tools.fringe
SCATTER_MM = (0.08, 0.22, 0.432, 0.753, 1.411, 2.722)  # dataset_tools.photometry, as the weights
SCATTER_WEIGHTS = (
    (0.233, 0.100, 0.118, 0.113, 0.358, 0.078),
    (0.455, 0.336, 0.198, 0.007, 0.004, 0.000),
    (0.649, 0.344, 0.000, 0.007, 0.000, 0.000),
)


def decode(unit: Tensor) -> Tensor:
    """sRGB in [0, 1] -> linear light (IEC 61966-2-1)."""
    return torch.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)


def encode(linear: Tensor) -> Tensor:
    """Linear light (clipped to [0, 1]) -> sRGB in [0, 1]."""
    linear = linear.clamp(0, 1)
    return torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055
    )


def luminance(linear: Tensor) -> Tensor:
    """Rec. 709 relative luminance (B, 1, H, W)."""
    weights = _constant(LUMINANCE, linear.device)
    return (linear * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


@cache
def _constant(numbers: tuple, device: torch.device) -> Tensor:
    """Numbers in the memory of ``device``, copied there once."""
    return torch.tensor(numbers, device=device)


def mix(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """a where ``weight`` is 1, b where it is 0."""
    return b + (a - b) * weight


def ambient_colour(share: Tensor, tint: Tensor) -> Tensor:
    """A_c = A (1 - (1-w) d, 1, 1 + (1+w) d) of luminance A, w = SKEW; in three channels."""
    colour = torch.cat([1 - (1 - SKEW) * tint, torch.ones_like(tint), 1 + (1 + SKEW) * tint], dim=1)
    return share * colour / luminance(colour)


def ambient_field(
    share: Tensor, wave: Tensor, spread: float | Tensor, sky: Tensor | float = 1.0
) -> Tensor:
    """The ambient ``share`` varying in space, (B, 1, H, W).

    Args:
        wave: (B, 1, H, W), of unit variance, clipped at 1.5.
        spread: how far the share varies.
        sky: (B, 1, H, W), how much of the light reaches each point, over its mean.
    """
    return (share * (1 + spread * wave.clamp(-1.5, 1.5) / 1.5) * sky).clamp(0, 1)


def own_share(ambient: Tensor, shade: Tensor) -> Tensor:
    """Each point's own ambient share, in a picture that keeps its light; (B, 3, H, W).

    ``shade`` (B, 1, H, W): its light over that of the best-lit skin, of which ``ambient`` is the
    share. Where less light falls there is less of the key in it, so a foreign shadow takes less.
    """
    return (ambient / shade.clamp(min=1e-2)).clamp(max=1)


def composite(base: Tensor, ambient: Tensor, visible: Tensor) -> Tensor:
    """J = I [A + (1 - A) S], per channel."""
    return base * (ambient + (1 - ambient) * visible)


def highlights(linear: Tensor, skin: Tensor, mm: Tensor) -> Tensor:
    """What skin's luminance has over its own blur of 8 mm, as a share of it; (B, 1, H, W)."""
    y = luminance(linear) + 0.01
    return skin * (1 - blur(y, 8 / mm) / y).clamp(0, 0.5)


def mirrored_light(share: Tensor, around: Tensor, ambient: Tensor, visible: Tensor) -> Tensor:
    """m E (1 - A) (1 - S): what a shadow leaves of the surroundings that everything mirrors.

    Black hair mirrors the sky too. What is lit is I = D + m E with the light E of the surroundings,
    and the shadow takes from D alone: J = (I - m E) [A + (1 - A) S] + m E, which is ``composite``
    and this.

    Args:
        share: m, (B, 1, 1, 1).
        around: E, (B, 1, H, W).
        ambient, visible: A and S, (B, 3, H, W).
    """
    return share * around * (1 - ambient) * (1 - visible)


def beside_mirrored(ambient: Tensor, share: Tensor, around: Tensor) -> Tensor:
    """A of the light that is not mirrored: lit skin then keeps the given share.

    J = A I on it with what ``mirrored_light`` adds, so A' = (A - q) / (1 - q), q = m E / I. How
    deep shadows are was measured on skin, mirrored light included.
    """
    q = share * around / LIT_SKIN
    return ((ambient - q) / (1 - q)).clamp(min=0)


@dataclass(frozen=True)
class Camera:
    """The tone curve behind a shadow: scene light s is shown as y = p^2 / (p + toe), p = c s^curve.

    Cameras add contrast to the light of a scene, most of it in the dark. The base is a finished
    photograph, and a shadow that is put into it has not been through that. Numbers or (B, 1, 1, 1).
    """

    curve: Tensor | float = 1.0
    toe: Tensor | float = 0.0

    def apply(self, darkened: Tensor, base: Tensor) -> Tensor:
        """The darkened base, (B, 3, H, W), as the camera would show it.

        The curve acts on luminance and keeps colours.
        """
        light = luminance(base) + 1e-4
        keep = ((luminance(darkened) + 1e-4) / light).clamp(1e-3, 1)
        return darkened * (self.response(keep, light) / keep)

    def response(self, share: Tensor, light: Tensor | float = SKIN) -> Tensor:
        """The share of a luminance ``light`` that is shown where ``share`` of its light is left."""
        p = share**self.curve * self._powered(light)
        return p**2 / (p + self.toe) / light

    def inverse(self, shown: Tensor) -> Tensor:
        """The share of light that ``response`` shows as ``shown`` on skin of usual brightness."""
        return (self._powered(shown * SKIN) / self._powered(SKIN)) ** (1 / self.curve)

    def _powered(self, y: Tensor | float) -> Tensor | float:
        """p of a luminance y."""
        return (y + (y**2 + 4 * self.toe * y) ** 0.5) / 2


def scattered(visible: Tensor, skin: Tensor, mm: Tensor) -> Tensor:
    """S: visibility (B, 1, H, W) blurred per channel as light diffuses in skin; (B, 3, H, W).

    mm (B, 1, 1, 1): per pixel, over the factor on the widths. Off the skin S = V.
    """
    B, _, H, W = visible.shape
    sigma = _constant(SCATTER_MM, visible.device) / mm.view(B, 1)
    soft = blur(visible.repeat_interleave(sigma.shape[1], 0), sigma.view(-1, 1, 1, 1))
    weights = _constant(SCATTER_WEIGHTS, visible.device)
    return mix(torch.einsum("cw,bwhk->bchk", weights, soft.view(B, -1, H, W)), visible, skin)


def bent(visible: Tensor, power: Tensor) -> Tensor:
    """S^p: edges fall off otherwise; what is lit or dark altogether stays. power (B, 3, 1, 1)."""
    return visible.clamp(0, 1) ** power


def reduced_visibility(visible: Tensor, f: int, camera: Camera = Camera()) -> Tensor:
    """Visibility for means of f x f blocks, such that compositing gives the mean of sRGB values.

    The sampler averages pictures as they are encoded. At an edge that is darker than the encoded
    mean of the light; a shadow of typical depth on skin behind ``camera``, encoded by a power law,
    makes up for it.
    """
    if f == 1:
        return visible
    ambient = camera.inverse(torch.full_like(visible[:, :, :1, :1], TYPICAL))
    encoded = area_mean(camera.response(ambient + (1 - ambient) * visible) ** (1 / 2.2), f)
    return ((camera.inverse(encoded**2.2) - ambient) / (1 - ambient)).clamp(0, 1)


def shoulder(linear: Tensor) -> Tensor:
    """Highlight roll-off of a camera: identity below 0.75, then 0.75 + 0.25 (1 - e^-x)."""
    over = (linear - 0.75).clamp(min=0) / 0.25
    return torch.where(linear < 0.75, linear, 0.75 + 0.25 * (1 - torch.exp(-over)))


@dataclass(frozen=True)
class Looks:
    """A new key light for every picture; see ``dataset_tools.relight.Look``.

    Attributes:
        backdrop: (B, 3, H, W), a linear background, used where ``has_backdrop`` is 1.

    All others are (B, 1, 1, 1).
    """

    strength: Tensor
    warmth: Tensor
    exposure: Tensor
    contrast: Tensor
    saturation: Tensor
    gloss: Tensor
    relief: Tensor
    sheen: Tensor
    background: Tensor
    has_backdrop: Tensor
    backdrop: Tensor


@dataclass(frozen=True)
class Maps:
    """What the renderer knows of every scene; all (B, 1, H, W) but ``mm``.

    Attributes:
        person, face, cloth, skin: in [0, 1].
        shade: the direct shading, about 1 where best lit.
        gloss: the highlight's lobe.
        sky: the ambient light over its mean on the face.
        mm: (B, 1, 1, 1), millimetres of the face per pixel.
    """

    person: Tensor
    face: Tensor
    shade: Tensor
    gloss: Tensor
    cloth: Tensor
    skin: Tensor
    sky: Tensor
    mm: Tensor


def blur(maps: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of (B, 1, H, W), ``sigma`` (B, 1, 1, 1) pixels each; border repeated.

    None below 0.3 pixels; beyond 16 pixels from the centre the Gaussian is cut off.
    """
    B, _, H, W = maps.shape
    reach = torch.arange(-16, 17, device=maps.device, dtype=maps.dtype)
    weights = torch.exp(-0.5 * (reach / sigma.view(B, 1).clamp(min=0.3)) ** 2)
    weights = weights / weights.sum(dim=1, keepdim=True)
    padded = F.pad(maps.view(1, B, H, W), (16, 16, 16, 16), mode="replicate")
    across = F.conv2d(padded, weights.view(B, 1, 1, -1), groups=B)
    soft = F.conv2d(across, weights.view(B, 1, -1, 1), groups=B).view(B, 1, H, W)
    return torch.where(sigma < 0.3, maps, soft)


def relief(linear: Tensor, mm: Tensor) -> Tensor:
    """Luminance over its own blur of 2.5 mm, within a factor of two; (B, 1, H, W)."""
    y = luminance(linear) + 0.01
    return (y / blur(y, 2.5 / mm)).clamp(0.5, 2.0)


def grade(linear: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Contrast of the luminance about middle grey, hue kept; then saturation."""
    y = luminance(linear).clamp(min=1e-4)
    grey = 0.18 * (y / 0.18) ** contrast
    graded = linear * (grey / y)
    return (grey + saturation * (graded - grey)).clamp(min=0)


def decontaminated(linear: Tensor, maps: Maps) -> Tensor:
    """The base with a rim in the colours that the person has right inside of it; (B, 3, H, W).

    As ``dataset_tools.fringe``, but by Gaussians, whose width may differ within a batch: core is
    where the rim's width lies within the person, F = sum c I / sum c around.
    """
    B, _, H, W = linear.shape
    reach = RIM_MM / maps.mm
    inside = (maps.person > 0.97).float()  # stored with losses
    core = (blur(inside, reach / 2) > 0.97).float()
    near = blur((linear * core).view(3 * B, 1, H, W), reach.repeat_interleave(3, 0))
    share = blur(core, reach)
    rim = (maps.person / 0.4).clamp(max=1) * (1 - core) * (share > 0.01)
    return mix(near.view(B, 3, H, W) / share.clamp(min=1e-6), linear, rim)


def relight(
    linear: Tensor,
    maps: Maps,
    ambient: Tensor,
    look: Looks,
    wall: Tensor | None = None,
    camera: Camera = Camera(),
) -> tuple[Tensor, Tensor]:
    """Base under the new light, and each point's own ambient share.

    I = albedo A + [albedo (1 - A) K D + (gloss H + sheen relief^2) D], the bracket being what a
    foreign shadow blocks. Behind the same ``camera`` as that: where the key does not reach it is as
    dark as where it is blocked. What stands behind the person is taken from ``wall`` where
    ``linear`` does not show it.
    """
    graded = grade(linear, look.contrast, look.saturation)
    shading = 1 - look.strength * (1 - maps.shade)
    key = torch.cat([1 + look.warmth, torch.ones_like(look.warmth), 1 - look.warmth], dim=1)
    detail = relief(graded, maps.mm)
    gloss = (look.gloss * maps.gloss + look.sheen * detail**2) * shading.clamp(0, 1)
    indirect = graded * ambient
    shading = shading * detail**look.relief
    lit = indirect + graded * (1 - ambient) * (shading * key) + gloss
    share = indirect / lit.clamp(min=1e-5)
    plain = Camera(camera.curve).apply(lit, graded)
    gain = _exposure(linear, plain, maps.face > 0.5, look.exposure)
    lit = camera.apply(lit * gain, graded * gain)
    wall = linear if wall is None else wall
    background = mix(look.backdrop, wall * look.background, look.has_backdrop)
    inner = ((maps.person - 0.4) / 0.6).clamp(0, 1)  # the matte's rim shows the old background
    return mix(lit, background, inner), mix(share, ambient, maps.person).clamp(0, 1)


def _exposure(linear: Tensor, lit: Tensor, face: Tensor, wanted: Tensor) -> Tensor:
    """Gain that brings the skin's mean to ``wanted`` times the old one, its peak under 0.95."""
    count = face.sum(dim=(2, 3), keepdim=True)
    old, new = luminance(linear), luminance(lit)

    def mean(y: Tensor) -> Tensor:
        return (y * face).sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)

    gain = wanted * mean(old) / mean(new).clamp(min=1e-4)
    gain = torch.minimum(gain, 0.95 / percentile(lit, face, 0.97).clamp(min=1e-4))
    return torch.where(count > 0, gain, wanted)


def percentile(values: Tensor, where: Tensor, q: float) -> Tensor:
    """q-quantile of all channels of (B, C, H, W) over ``where`` (B, 1, H, W); (B, 1, 1, 1).

    Read on a grid of about 64 x 64, without interpolation; -1 where that meets none of them.
    """
    stride = max(1, values.shape[-1] // 64)
    thin = values[..., ::stride, ::stride]
    inside = where[..., ::stride, ::stride].expand_as(thin).flatten(1)
    ordered = thin.flatten(1).masked_fill(~inside, -1).sort(dim=1, descending=True).values
    index = ((1 - q) * inside.sum(dim=1, keepdim=True)).long().clamp(max=ordered.shape[1] - 1)
    return ordered.gather(1, index).view(-1, 1, 1, 1)


def sensor_noise(base: Tensor, darkened: Tensor, a: Tensor, b: Tensor, white: Tensor) -> Tensor:
    """Noise a camera would have in the darkened picture beyond what the clean one carries.

    Variance a k (1 - k) x + b (1 - k^2), k the share of light that is left of the clean x.
    """
    keep = ((darkened + 1e-4) / (base + 1e-4)).clamp(0, 1)
    clean = darkened / keep.clamp(min=1e-3)
    variance = a * keep * (1 - keep) * clean + b * (1 - keep**2)
    return white * variance.clamp(min=0).sqrt()


# Annex K of ITU-T T.81: the luminance quantisation table that encoders scale.
_QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def jpeg(unit: Tensor, quality: Tensor) -> Tensor:
    """sRGB [0, 1] (B, 3, H, W), sides multiples of 8, as JPEG of ``quality`` (B, 1, 1, 1) keeps it.

    Blockwise DCT per RGB channel with the luminance table: the blocking and ringing, without the
    colour transform.
    """
    B, C, H, W = unit.shape
    n = torch.arange(8, device=unit.device, dtype=torch.float32)
    basis = torch.cos(pi / 8 * (n[None] + 0.5) * n[:, None]) / 2
    basis[0] /= 2**0.5
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(B, 1, 1, 1, 1, 1)
    table = torch.tensor(_QUANTISATION, device=unit.device, dtype=torch.float32)
    steps = (table.view(1, 1, 1, 8, 1, 8) * scale + 0.5).floor().clamp(1, 255)
    blocks = (255 * unit - 128).reshape(B, C, H // 8, 8, W // 8, 8)
    coefficients = torch.einsum("ui,bchiwj,vj->bchuwv", basis, blocks, basis)
    kept = (coefficients / steps).round() * steps
    blocks = torch.einsum("ui,bchuwv,vj->bchiwj", basis, kept, basis)
    return ((blocks.reshape(B, C, H, W) + 128) / 255).clamp(0, 1)


def upsampled(grid: Tensor, size: int) -> Tensor:
    """A coarse random field (B, 1, n, n) as a smooth one (B, 1, size, size)."""
    return F.interpolate(grid, size=(size, size), mode="bicubic", align_corners=False)
