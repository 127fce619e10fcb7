"""A perceptual loss: LPIPS (Zhang et al. 2018) between the restored picture and the clean one.

The training uses the SqueezeNet backbone, the benchmarks AlexNet and VGG: what is measured is not
what was trained on.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from learnir.checkpoint import CheckpointError
from learnir.perceptual import load_backbone, lpips_network

FEATURES = "squeezenet1_1_features.pth"


def lpips_loss() -> nn.Module:
    """Frozen LPIPS over SqueezeNet: two pictures, signed (B, 3, H, W) -> (B, 1, 1, 1).

    The backbone is the file or folder named by ``LEARNIR_LPIPS_WEIGHTS``; without it torchvision
    fetches its own, once.

    Raises:
        CheckpointError: the named file is missing or holds something else, or nothing is fetched.
    """
    given, model = os.environ.get("LEARNIR_LPIPS_WEIGHTS"), lpips_network("squeeze")
    if given is None:
        load_backbone(model, _fetched())
    else:
        _load(model, Path(given))
    model.to(memory_format=torch.channels_last)
    return model.requires_grad_(False)


def _fetched() -> dict[str, Tensor]:
    """SqueezeNet's weights from torch's cache of downloads, into which they are fetched once."""
    from torchvision.models import SqueezeNet1_1_Weights

    weights = SqueezeNet1_1_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except OSError as error:  # as URLError is
        raise CheckpointError(
            f"{weights.url}: cannot be fetched ({error}); LPIPS in the loss needs it: check the "
            "network, or set LEARNIR_LPIPS_WEIGHTS to this file, fetched elsewhere"
        ) from error


def _load(model: nn.Module, path: Path) -> None:
    path = path / FEATURES if path.is_dir() else path
    try:
        load_backbone(model, torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f"{path}: not SqueezeNet's features ({error}); set LEARNIR_LPIPS_WEIGHTS to the file "
            f"{FEATURES} or its folder, or unset it to have them fetched"
        ) from error
