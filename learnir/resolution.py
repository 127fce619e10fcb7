"""DRM, the Dynamic Resolution Module (poster Eq. 1): which step runs at which resolution.

A *scale* is an integer downsampling factor; ``scales[t - 1]`` is s(t), and s(0) = 1 always, so the
restored picture has the observation's size whatever the schedule. High-noise steps run coarse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import lcm

import torch
import torch.nn.functional as F
from torch import Tensor

from learnir.process import Latent

Scales = tuple[int, ...]

LARGEST_MULTIPLE = 64  # pictures are padded to a multiple of all scales, which costs memory


def drm_scales(steps: int) -> Scales:
    """The default s(1..T') for any number of steps: (1, 1, 2, 4, 4) for five.

    Steps up to 2/5 of T' run at full size (t = 1 always: its R is the result's), up to 3/5 at half
    and the rest at a quarter.
    """
    share = [t / steps for t in range(2, steps + 1)]
    return (1, *(1 if u <= 0.4 else 2 if u <= 0.6 else 4 for u in share))


def check_scales(scales: Sequence[int], steps: int) -> Scales:
    """The scales as a tuple of integers.

    ValueError unless it has one integer >= 1 for each step, and of neighbouring ones the smaller
    divides the larger.
    """
    if len(scales) != steps:
        raise ValueError(f"{steps} steps need {steps} scales s(1..T'), got {tuple(scales)}")
    if any(int(f) != f or f < 1 for f in scales):
        raise ValueError(f"scales are integers >= 1, got {tuple(scales)}")
    whole = tuple(int(f) for f in scales)
    for then, now in zip((1, *whole), whole, strict=False):
        _check_crossing(now, then)
    if common_multiple(whole) > LARGEST_MULTIPLE:
        raise ValueError(
            f"scales have a common multiple of at most {LARGEST_MULTIPLE}, got {whole}"
        )
    return whole


def resolve_scales(
    scales: Sequence[int] | str | None, steps: int, default: Sequence[int]
) -> Scales:
    """s(1..T') from a tuple, "fixed" or "drm"; None is ``default`` where it has as many steps."""
    if scales is None:
        return check_scales(default, steps) if len(default) == steps else drm_scales(steps)
    if isinstance(scales, str):
        named: dict[str, Scales] = {"fixed": (1,) * steps, "drm": drm_scales(steps)}
        if scales not in named:
            raise ValueError(f"scales are 'fixed', 'drm' or a tuple, got {scales!r}")
        return named[scales]
    return check_scales(scales, steps)


def scale_at(scales: Scales, t: int) -> int:
    """s(t), with s(0) = 1."""
    return scales[t - 1] if t > 0 else 1


def relative_cost(scales: Scales) -> float:
    """Cost of one sampling run in evaluations at full size: sum of 1 / s(t)^2."""
    return sum(1.0 / f**2 for f in scales)


def area_mean(x: Latent, f: int) -> Latent:
    """D: mean over f x f blocks (antialiased, nothing to learn); H and W divisible by f."""
    return x if f == 1 else F.avg_pool2d(x, f)


def nearest(x: Latent, f: int) -> Latent:
    """Every value repeated over an f x f block."""
    return x if f == 1 else F.interpolate(x, scale_factor=f, mode="nearest")


def upsample(R: Latent, f: int) -> Latent:
    """The residual f times finer, bilinear: it is smooth, and detail comes from z_y."""
    if f == 1:
        return R
    return F.interpolate(R, scale_factor=f, mode="bilinear", align_corners=False)


def refine_noise(eps: Latent, n: Latent, f: int) -> Latent:
    """White noise f times finer whose block means are those of ``eps``.

    eps_fine = Nearest(eps) / f + (n - Nearest(AreaMean_f(n))) with n ~ N(0, I) at the fine size.
    The first part has variance 1/f^2, constant in a block; the second has 1 - 1/f^2 and sums to
    zero in every block: together exactly white with unit variance.
    """
    return nearest(eps, f) / f + (n - nearest(area_mean(n, f), f))


def coarsen_noise(eps: Latent, f: int) -> Latent:
    """White noise f times coarser: f times the block mean has unit variance again."""
    return area_mean(eps, f) * f


def cross(
    R: Latent, eps: Latent, now: int, then: int, draw: Callable[[tuple[int, ...]], Tensor]
) -> tuple[Latent, Latent]:
    """Residual and noise carried from scale ``now`` to ``then`` (either may divide the other).

    Args:
        R: residual at scale ``now``.
        eps: white noise at scale ``now``.
        draw: standard normal of a given shape, called only when going to a finer size.
    """
    if now == then:
        return R, eps
    if now % then == 0:
        f = now // then
        B, C, H, W = eps.shape
        return upsample(R, f), refine_noise(eps, draw((B, C, H * f, W * f)), f)
    _check_crossing(now, then)
    f = then // now
    return area_mean(R, f), coarsen_noise(eps, f)


def _check_crossing(now: int, then: int) -> None:
    if now % then and then % now:
        raise ValueError(f"neighbouring scales must divide one another, got {now} and {then}")


def pad_to_multiple(x: Latent, multiple: int) -> Latent:
    """Bottom and right edges repeated until H and W are multiples of ``multiple``."""
    H, W = x.shape[-2:]
    return F.pad(x, (0, -W % multiple, 0, -H % multiple), mode="replicate")


def common_multiple(scales: Scales) -> int:
    """The smallest picture side that every scale divides."""
    return lcm(*scales)


def white(shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
    """Standard normal of ``shape`` on the device and in the dtype of ``like``.

    Drawn on the generator's device, so that one seed gives one picture on every device.
    """
    device = generator.device if generator is not None else like.device
    return torch.randn(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)
