"""``naf``: conditional NAFNet-style U-Net on pixel-unshuffled pictures; the default network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from learnir.networks.blocks import Blocks, LevelEmbedding, NAFBlock, downsample, upsample, zero
from learnir.resolution import pad_to_multiple

UNTRAINED_LOG_VARIANCE = -8.0  # a spread of two levels of 255, where 0 would be one of 127
CORRECTOR_WIDTH = 18  # beside the shipped denoiser its branch still fits 16 MiB of float16


class NAFUNet(nn.Module):
    """Maps pictures that share one size, and the signal level, to a picture-like output.

    Args:
        inputs: pictures joined at the entrance (2 for z_t and z_y).
        outputs: channels of the result (3 for R).
        width: channels at the first level; doubled at each level below.
        top: channels at the first level, if other than ``width``: there every patch of patch^2
            pixels must pass, edges of shadows among them.
        encoder: blocks of each level on the way down, that at full size first.
        middle: blocks of the level below all of these.
        decoder: blocks of each level on the way up, the deepest first; as many as encoder's.
        patch: pixel-unshuffle factor at the entrance.
        kernel: side of the entrance's and exit's convolutions.

    Fully convolutional: any H and W, padded inside to a multiple of patch * 2^levels.
    """

    def __init__(
        self,
        inputs: int = 2,
        outputs: int = 3,
        width: int = 48,
        encoder: Sequence[int] = (1, 1, 2),
        middle: int = 4,
        decoder: Sequence[int] = (1, 1, 1),
        patch: int = 4,
        kernel: int = 3,
        top: int | None = None,
    ) -> None:
        super().__init__()
        if len(encoder) != len(decoder):
            raise ValueError("encoder and decoder need as many levels as each other")
        self.patch, self.multiple = patch, patch * 2 ** len(encoder)
        condition = 2 * width
        self.level = LevelEmbedding(condition)
        widths = [top or width, *(width * 2**i for i in range(1, len(encoder) + 1))]
        self.entrance = nn.Conv2d(3 * inputs * patch**2, widths[0], kernel, padding=kernel // 2)

        def level(count: int, channels: int) -> Blocks:
            return Blocks(NAFBlock(channels, condition) for _ in range(count))

        self.encoders = nn.ModuleList(map(level, encoder, widths))
        self.downs = nn.ModuleList(map(downsample, widths, widths[1:]))
        self.middle = level(middle, widths[-1])
        self.ups = nn.ModuleList(map(upsample, widths[:0:-1], widths[-2::-1]))
        self.decoders = nn.ModuleList(map(level, decoder, widths[-2::-1]))
        self.exit = zero(nn.Conv2d(widths[0], outputs * patch**2, kernel, padding=kernel // 2))

    def forward(self, pictures: Sequence[Tensor], level: Tensor) -> Tensor:
        """(B, 3, H, W) pictures and a_t of shape (1,) -> (B, outputs, H, W)."""
        H, W = pictures[0].shape[-2:]
        x = pad_to_multiple(torch.cat(tuple(pictures), dim=1), self.multiple)
        x = self.entrance(nn.functional.pixel_unshuffle(x, self.patch))
        x = x.contiguous(memory_format=torch.channels_last)
        condition = self.level(level)
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            x = blocks(x, condition)
            skips.append(x)
            x = down(x)
        x = self.middle(x, condition)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            x = blocks(up(x) + skips.pop(), condition)
        return nn.functional.pixel_shuffle(self.exit(x), self.patch)[..., :H, :W]


class NAFDenoiser(NAFUNet):
    """The denoiser: (z_t, z_y, a_t) -> prediction.

    Args:
        gain: the exit gives an offset and a factor, and the prediction is
            offset + factor * (z_y + 1). A shadow multiplies light (nearly so in sRGB values as
            well), so the factor is smooth where the residual has all the texture of the face: more
            than ``width`` channels can carry through every patch of patch^2 pixels.
    """

    def __init__(self, gain: bool = False, **arguments: object) -> None:
        super().__init__(inputs=2, outputs=6 if gain else 3, **arguments)  # type: ignore[arg-type]
        self.gain = gain

    def forward(self, pictures: Sequence[Tensor], level: Tensor) -> Tensor:
        """(z_t, z_y), each (B, 3, H, W), and a_t of shape (1,) -> (B, 3, H, W)."""
        return self.prediction(super().forward(pictures, level), pictures[1])

    def prediction(self, out: Tensor, z_y: Tensor) -> Tensor:
        """The prediction from the exit's channels ``out``: with ``gain``, a function of z_y."""
        if not self.gain:
            return out
        offset, factor = out.chunk(2, dim=1)
        return offset + factor * (z_y + 1)


class Corrector(NAFUNet):
    """The light correction branch: (z_t, z_y, z_0_hat, a_t) -> g, and log variance on request.

    Its last layer starts at zero, so that an untrained branch changes nothing: with ``variance``,
    next to nothing, as the log variance then starts at UNTRAINED_LOG_VARIANCE.
    """

    def __init__(
        self,
        width: int = CORRECTOR_WIDTH,
        encoder: Sequence[int] = (1, 1, 1),
        middle: int = 1,
        decoder: Sequence[int] = (1, 1, 1),
        patch: int = 4,
        variance: bool = False,
    ) -> None:
        super().__init__(3, 6 if variance else 3, width, encoder, middle, decoder, patch, kernel=1)
        self.variance = variance
        if variance:
            with torch.no_grad():
                self.exit.get_parameter("bias")[3 * patch**2 :] = UNTRAINED_LOG_VARIANCE
