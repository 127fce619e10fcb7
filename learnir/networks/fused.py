"""NAF blocks trained on a GPU: whatever lies between two matrix products is one kernel.

A block moves far more numbers than it computes. PyTorch's operators read and write a map for every
normalisation, bias, gate and sum, and gradients of its depthwise convolutions take many times what
reading the maps would. Here each map is read once. The result is ``NAFBlock``'s.

Maps are channels-last, seen as rows of channels (pixels, C). Gradients of biases, scales and
depthwise weights are sums over all pixels: every program leaves its share in a row of ``partial``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from learnir.networks.blocks import NAFBlock

EPS = 1e-5
SIZES = ["N", "H", "W"]  # one compiled kernel serves maps of every size


@triton.jit
def _normalised(v, has, C: tl.constexpr, EPS: tl.constexpr):
    """Rows less their mean, over their deviation; and one over that deviation."""
    centred = tl.where(has[None, :], v - tl.sum(v, axis=1)[:, None] / C, 0.0)
    rstd = 1 / tl.sqrt(tl.sum(centred * centred, axis=1) / C + EPS)
    return centred * rstd[:, None], rstd


@triton.jit(do_not_specialize=SIZES)
def _add_norm(
    x, u, bias, scale, norm_scale, norm_shift, out, normed, N,
    C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr, EPS: tl.constexpr,
    ADD: tl.constexpr, NORM: tl.constexpr,
):  # fmt: skip
    """out = x + scale (u + bias); normed = out's rows normalised, scaled and shifted."""
    rows, cols = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS), tl.arange(0, CHANNELS)
    has = cols < C
    at, mask = rows[:, None] * C + cols[None, :], (rows < N)[:, None] & has[None, :]
    v = tl.load(x + at, mask, 0.0).to(tl.float32)
    if ADD:
        b, s = tl.load(bias + cols, has, 0.0), tl.load(scale + cols, has, 0.0)
        v += s[None, :] * (tl.load(u + at, mask, 0.0).to(tl.float32) + b[None, :])
        tl.store(out + at, v, mask)
    if NORM:
        unit, _ = _normalised(v, has, C, EPS)
        a, b = tl.load(norm_scale + cols, has, 0.0), tl.load(norm_shift + cols, has, 0.0)
        tl.store(normed + at, unit * a[None, :] + b[None, :], mask)


@triton.jit(do_not_specialize=SIZES)
def _add_norm_backward(
    out, u, bias, scale, norm_scale, d_out, d_normed, d_x, d_u, partial, N,
    C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr, EPS: tl.constexpr,
    ADD: tl.constexpr, NORM: tl.constexpr,
):  # fmt: skip
    """partial (programs, 4, C): gradients of bias, scale, norm_scale, norm_shift."""
    rows, cols = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS), tl.arange(0, CHANNELS)
    has = cols < C
    at, mask = rows[:, None] * C + cols[None, :], (rows < N)[:, None] & has[None, :]
    row = partial + tl.program_id(0) * 4 * C + cols
    g = tl.load(d_out + at, mask, 0.0).to(tl.float32)
    if NORM:
        unit, rstd = _normalised(tl.load(out + at, mask, 0.0).to(tl.float32), has, C, EPS)
        d = tl.load(d_normed + at, mask, 0.0).to(tl.float32)
        tl.store(row + 2 * C, tl.sum(d * unit, axis=0), has)
        tl.store(row + 3 * C, tl.sum(d, axis=0), has)
        d *= tl.load(norm_scale + cols, has, 0.0)[None, :]
        mean, along = tl.sum(d, axis=1) / C, tl.sum(d * unit, axis=1) / C
        g += tl.where(mask, rstd[:, None] * (d - mean[:, None] - unit * along[:, None]), 0.0)
        tl.store(d_x + at, g, mask)
    if ADD:
        b, s = tl.load(bias + cols, has, 0.0), tl.load(scale + cols, has, 0.0)
        added = tl.load(u + at, mask, 0.0).to(tl.float32) + b[None, :]
        tl.store(row + C, tl.sum(g * added, axis=0), has)
        g *= s[None, :]
        tl.store(row, tl.sum(g, axis=0), has)
        tl.store(d_u + at, g, mask)


@triton.jit(do_not_specialize=SIZES)
def _gate(h, out, N, C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr):
    """out = p q, p and q the halves of h."""
    rows, cols = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS), tl.arange(0, CHANNELS)
    at, mask = rows[:, None] * 2 * C + cols[None, :], (rows < N)[:, None] & (cols < C)[None, :]
    p = tl.load(h + at, mask, 0.0).to(tl.float32)
    q = tl.load(h + at + C, mask, 0.0).to(tl.float32)
    tl.store(out + rows[:, None] * C + cols[None, :], p * q, mask)


@triton.jit(do_not_specialize=["N", "HW"])
def _gate_backward(
    h, d_out, attention, d_mean, d_h, partial, N, HW,
    C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr, ATTENDED: tl.constexpr,
):  # fmt: skip
    """d_h, and partial (programs, 2 C): its sums.

    Attended, the gate's own result has the gradient d_out attention + d_mean, the latter (B, C).
    """
    rows, cols = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS), tl.arange(0, CHANNELS)
    has = cols < C
    at, mask = rows[:, None] * 2 * C + cols[None, :], (rows < N)[:, None] & has[None, :]
    p = tl.load(h + at, mask, 0.0).to(tl.float32)
    q = tl.load(h + at + C, mask, 0.0).to(tl.float32)
    g = tl.load(d_out + rows[:, None] * C + cols[None, :], mask, 0.0).to(tl.float32)
    if ATTENDED:
        pooled = (rows // HW)[:, None] * C + cols[None, :]
        g = g * tl.load(attention + pooled, mask, 0.0) + tl.load(d_mean + pooled, mask, 0.0)
    tl.store(d_h + at, g * q, mask)
    tl.store(d_h + at + C, g * p, mask)
    row = partial + tl.program_id(0) * 2 * C + cols
    tl.store(row, tl.sum(g * q, axis=0), has)
    tl.store(row + C, tl.sum(g * p, axis=0), has)


@triton.jit
def _neighbour(h, dy, dx, y, x, at, mask, C: tl.constexpr, H, W):
    """Maps of C channels (dy, dx) pixels further; beyond the border zero."""
    inside = (y + dy >= 0) & (y + dy < H) & (x + dx >= 0) & (x + dx < W)
    return tl.load(h + at + (dy * W + dx) * C, mask & inside[:, None], 0.0).to(tl.float32)


@triton.jit(do_not_specialize=SIZES)
def _depthwise_gate(
    h, weight, bias, halves, out, N, H, W,
    C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """halves = the depthwise 3 x 3 convolution of h, both (N, 2 C); out = one times the other."""
    rows = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    cols = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    has = cols < C
    at, mask = rows[:, None] * 2 * C + cols[None, :], (rows < N)[:, None] & has[None, :]
    x, y = rows % W, (rows // W) % H
    p = tl.zeros((PIXELS, CHANNELS), tl.float32) + tl.load(bias + cols, has, 0.0)[None, :]
    q = tl.zeros((PIXELS, CHANNELS), tl.float32) + tl.load(bias + C + cols, has, 0.0)[None, :]
    for tap in tl.static_range(9):
        dy, dx = tap // 3 - 1, tap % 3 - 1
        w_p = tl.load(weight + cols * 9 + tap, has, 0.0)
        w_q = tl.load(weight + (C + cols) * 9 + tap, has, 0.0)
        p += w_p[None, :] * _neighbour(h, dy, dx, y, x, at, mask, 2 * C, H, W)
        q += w_q[None, :] * _neighbour(h, dy, dx, y, x, at + C, mask, 2 * C, H, W)
    tl.store(halves + at, p, mask)
    tl.store(halves + at + C, q, mask)
    tl.store(out + rows[:, None] * C + cols[None, :], p * q, mask)


@triton.jit(do_not_specialize=SIZES)
def _depthwise_backward(
    d_out, weight, d_h, partial, N, H, W,
    C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """d_h of a depthwise convolution of C channels, and partial (programs, C): its sums."""
    rows = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    cols = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    has = cols < C
    at, mask = rows[:, None] * C + cols[None, :], (rows < N)[:, None] & has[None, :]
    x, y = rows % W, (rows // W) % H
    g = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for tap in tl.static_range(9):
        w = tl.load(weight + cols * 9 + 8 - tap, has, 0.0)
        g += w[None, :] * _neighbour(d_out, tap // 3 - 1, tap % 3 - 1, y, x, at, mask, C, H, W)
    tl.store(d_h + at, g, mask)
    tl.store(partial + tl.program_id(0) * C + cols, tl.sum(g, axis=0), has)


@triton.jit(do_not_specialize=[*SIZES, "STEPS"])
def _depthwise_weight_backward(
    h, d_out, partial, N, H, W,
    STEPS, C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """partial (programs, 9, C): for each tap the sum of d_out times its neighbour in h."""
    cols = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    has = cols < C
    none = tl.zeros((PIXELS, CHANNELS), tl.float32)
    sums = (none, none, none, none, none, none, none, none, none)
    for step in range(STEPS):
        rows = (tl.program_id(0) * STEPS + step) * PIXELS + tl.arange(0, PIXELS)
        at, mask = rows[:, None] * C + cols[None, :], (rows < N)[:, None] & has[None, :]
        x, y = rows % W, (rows // W) % H
        d = tl.load(d_out + at, mask, 0.0).to(tl.float32)
        more = ()
        for tap in tl.static_range(9):
            near = _neighbour(h, tap // 3 - 1, tap % 3 - 1, y, x, at, mask, C, H, W)
            more = more + (sums[tap] + near * d,)  # type: ignore[assignment]  # noqa: RUF005
        sums = more  # type: ignore[assignment]
    row = partial + tl.program_id(0) * 9 * C + cols
    for tap in tl.static_range(9):
        tl.store(row + tap * C, tl.sum(sums[tap], axis=0), has)


@triton.jit(do_not_specialize=["HW"])
def _pooled(
    a, b, partial, HW, C: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
    PRODUCT: tl.constexpr,
):  # fmt: skip
    """partial (parts, B, C): sums of a, or of a b, over parts of the pixels of every picture."""
    rows, cols = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS), tl.arange(0, CHANNELS)
    has = cols < C
    mask = (rows < HW)[:, None] & has[None, :]
    at = (tl.program_id(1) * HW + rows)[:, None] * C + cols[None, :]
    v = tl.load(a + at, mask, 0.0).to(tl.float32)
    if PRODUCT:
        v *= tl.load(b + at, mask, 0.0).to(tl.float32)
    row = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    tl.store(partial + row * C + cols, tl.sum(v, axis=0), has)


# Sizes of tiles, measured on an H200 (docs/experiments.md, section 13).
ROWS = 8192  # numbers of a tile that holds whole rows of channels
HALVES = {"PIXELS": 64, "CHANNELS": 32}
DEPTHWISE = {"PIXELS": 64, "CHANNELS": 32}
WEIGHTS = {"PIXELS": 16, "CHANNELS": 32}
PROGRAMS = 2048  # that sum gradients of depthwise weights: some for each multiprocessor


def _tile(C: int) -> dict[str, int]:
    """A tile of whole rows."""
    channels = triton.next_power_of_2(C)
    return {"C": C, "PIXELS": max(ROWS // channels, 16), "CHANNELS": channels}


def _partial(like: Tensor, *shape: int) -> Tensor:
    return like.new_empty(shape, dtype=torch.float32)


def _gate_gradients(
    h: Tensor, d_out: Tensor, pooled: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The gradient of the gate's input, and its sums; ``pooled``: attention and d_mean (B, C)."""
    N, C, tile = len(h), h.shape[1] // 2, _tile(h.shape[1] // 2)
    attention, d_mean = pooled or (None, None)
    HW = N // len(attention) if attention is not None else N
    programs, d_h = triton.cdiv(N, tile["PIXELS"]), torch.empty_like(h)
    partial = _partial(h, programs, 2 * C)
    _gate_backward[programs,](
        h, d_out, attention, d_mean, d_h, partial, N, HW, **tile, ATTENDED=pooled is not None
    )
    return d_h, partial.sum(dim=0)


def _pool(a: Tensor, b: Tensor | None, HW: int) -> Tensor:
    """Sums over the pixels of each picture of a, or of a b: (B, C)."""
    B, C, tile = len(a) // HW, a.shape[1], _tile(a.shape[1])
    parts = triton.cdiv(HW, tile["PIXELS"])
    partial = _partial(a, parts, B, C)
    _pooled[parts, B](a, b, partial, HW, **tile, PRODUCT=b is not None)
    return partial.sum(dim=0)


class _AddNorm(torch.autograd.Function):
    """(x, u, ...) -> x + scale (u + bias), and that normalised; either part may be left out."""

    @staticmethod
    def forward(
        ctx: Any, dtype: torch.dtype, x: Tensor, *given: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        u, bias, scale, norm_scale, norm_shift = given
        (N, C), adds, norms = x.shape, u is not None, norm_scale is not None
        out = torch.empty_like(x) if adds else x
        normed = torch.empty_like(x, dtype=dtype) if norms else None
        ctx.tile = {**_tile(C), "EPS": EPS, "ADD": adds, "NORM": norms}
        ctx.programs = triton.cdiv(N, ctx.tile["PIXELS"])
        _add_norm[ctx.programs,](
            x, u, bias, scale, norm_scale, norm_shift, out, normed, N, **ctx.tile
        )
        ctx.save_for_backward(out, u, bias, scale, norm_scale)
        return out, normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_normed: Tensor | None) -> tuple[Tensor | None, ...]:
        out, u, bias, scale, norm_scale = ctx.saved_tensors
        (N, C), adds, norms = out.shape, u is not None, norm_scale is not None
        d_out = d_out.contiguous()
        d_x = torch.empty_like(out) if norms else d_out
        d_u = torch.empty_like(u) if adds else None
        partial = _partial(out, ctx.programs, 4, C)
        d_normed = d_normed.contiguous() if d_normed is not None else None
        _add_norm_backward[ctx.programs,](
            out, u, bias, scale, norm_scale, d_out, d_normed, d_x, d_u, partial, N, **ctx.tile
        )
        sums: Sequence[Tensor | None] = partial.sum(dim=0).unbind()
        added = (d_u, *sums[:2]) if adds else (None,) * 3
        return None, d_x, *added, *(sums[2:] if norms else (None, None))


class _Mix(torch.autograd.Function):
    """``NAFBlock.mix`` but its last layer: (B H W, C) -> (B H W, C)."""

    @staticmethod
    def forward(
        ctx: Any, normed: Tensor, size: tuple[int, int], widen: Tensor, widen_bias: Tensor,
        weight: Tensor, bias: Tensor, mix: Tensor, mix_bias: Tensor,
    ) -> Tensor:  # fmt: skip
        (H, W), (N, C), dtype = size, normed.shape, normed.dtype
        widen = widen.to(dtype)
        h = torch.addmm(widen_bias.to(dtype), normed, widen.t())
        halves, gated = torch.empty_like(h), torch.empty_like(normed)
        grid = triton.cdiv(N, HALVES["PIXELS"]), triton.cdiv(C, HALVES["CHANNELS"])
        _depthwise_gate[grid](h, weight, bias, halves, gated, N, H, W, C=C, **HALVES)
        mean = _pool(gated, None, H * W) / (H * W)
        attention = torch.addmm(mix_bias, mean, mix.t())
        ctx.save_for_backward(normed, widen, h, weight, halves, gated, mean, mix, attention)
        ctx.size = size
        return (gated.view(-1, H * W, C) * attention[:, None].to(dtype)).view(N, C)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        normed, widen, h, weight, halves, gated, mean, mix, attention = ctx.saved_tensors
        (H, W), (N, C), d_out = ctx.size, normed.shape, d_out.contiguous()
        d_attention = _pool(d_out, gated, H * W)
        d_mean = d_attention @ mix / (H * W)
        d_halves, d_bias = _gate_gradients(halves, d_out, (attention, d_mean))
        programs = triton.cdiv(N, DEPTHWISE["PIXELS"])
        chunks = triton.cdiv(2 * C, DEPTHWISE["CHANNELS"])
        d_h, sums = torch.empty_like(h), _partial(h, programs, 2 * C)
        _depthwise_backward[programs, chunks](
            d_halves, weight, d_h, sums, N, H, W, C=2 * C, **DEPTHWISE
        )
        tiles, chunks = triton.cdiv(N, WEIGHTS["PIXELS"]), triton.cdiv(2 * C, WEIGHTS["CHANNELS"])
        steps = min(max(tiles * chunks // PROGRAMS, 1), 32)
        taps = _partial(h, triton.cdiv(tiles, steps), 9, 2 * C)
        _depthwise_weight_backward[len(taps), chunks](
            h, d_halves, taps, N, H, W, steps, C=2 * C, **WEIGHTS
        )
        return (
            d_h @ widen, None, d_h.t() @ normed, sums.sum(dim=0),
            taps.sum(dim=0).t().reshape(weight.shape), d_bias,
            d_attention.t() @ mean, d_attention.sum(dim=0),
        )  # fmt: skip


class _Feed(torch.autograd.Function):
    """``NAFBlock.feed`` but its last layer: (N, C) -> (N, C)."""

    @staticmethod
    def forward(ctx: Any, normed: Tensor, widen: Tensor, bias: Tensor) -> Tensor:
        (N, C), dtype = normed.shape, normed.dtype
        widen, tile = widen.to(dtype), _tile(C)
        h, out = torch.addmm(bias.to(dtype), normed, widen.t()), torch.empty_like(normed)
        _gate[triton.cdiv(N, tile["PIXELS"]),](h, out, N, **tile)
        ctx.save_for_backward(normed, widen, h)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normed, widen, h = ctx.saved_tensors
        d_h, d_bias = _gate_gradients(h, d_out.contiguous())
        return d_h @ widen, d_h.t() @ normed, d_bias


def fused_blocks(blocks: Sequence[NAFBlock], x: Tensor, condition: Tensor) -> Tensor:
    """The blocks one after the other on channels-last maps (B, C, H, W), which keep their dtype."""
    B, C, H, W = x.shape
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    rows = x.permute(0, 2, 3, 1).reshape(-1, C).contiguous()
    after: Sequence[Tensor | None] = blocks[0].norm1.constants(condition)
    rows, normed = _AddNorm.apply(dtype, rows, None, None, None, *after)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        mix: Sequence[Any] = list(block.mix)
        into, depthwise, _, attention, out = mix
        mixed = _Mix.apply(
            normed, (H, W), _matrix(into), into.bias, depthwise.weight, depthwise.bias,
            _matrix(attention.mix), attention.mix.bias,
        )  # fmt: skip
        u, scale = F.linear(mixed, _matrix(out)), block.scale1.view(C)
        after = block.norm2.constants(condition)
        rows, normed = _AddNorm.apply(dtype, rows, u, out.bias, scale, *after)
        feed: Sequence[Any] = list(block.feed)
        widen, _, out = feed
        fed = _Feed.apply(normed, _matrix(widen), widen.bias)
        u, scale = F.linear(fed, _matrix(out)), block.scale2.view(C)
        after = following.norm1.constants(condition) if following else (None, None)
        rows, normed = _AddNorm.apply(dtype, rows, u, out.bias, scale, *after)
    return rows.view(B, H, W, C).permute(0, 3, 1, 2)


def try_out(device: torch.device) -> None:
    """Compiles a small kernel and runs it; raises what Triton does where it cannot."""
    h, out = torch.ones(1, 2, device=device), torch.empty(1, 1, device=device)
    _gate[1,](h, out, 1, **_tile(1))


def _matrix(layer: Any) -> Tensor:
    """(outputs, inputs) of a 1 x 1 convolution."""
    return layer.weight.flatten(1)
