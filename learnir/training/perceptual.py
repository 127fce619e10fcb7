"""A perceptual loss: LPIPS (Zhang et al. 2018) between the restored picture and the clean one.

The training uses the SqueezeNet backbone, the benchmarks AlexNet and VGG: what is measured is not
what was trained on.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from torch import nn

from learnir.checkpoint import CheckpointError

FEATURES = "squeezenet1_1_features.pth"


def lpips_loss() -> nn.Module:
    """Frozen LPIPS over SqueezeNet: two pictures, signed (B, 3, H, W) -> (B, 1, 1, 1).

    The backbone is the file or folder named by ``LEARNIR_LPIPS_WEIGHTS``; without it torchvision
    fetches its own.

    Raises:
        CheckpointError: the named file is missing or holds something else.
    """
    from lpips import LPIPS

    given = os.environ.get("LEARNIR_LPIPS_WEIGHTS")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's notice about ``pretrained``
        model = LPIPS(net="squeeze", pnet_rand=given is not None, verbose=False)
    if given is not None:
        _load(model, Path(given))
    model.to(memory_format=torch.channels_last)
    return model.eval().requires_grad_(False)


def _load(model: nn.Module, path: Path) -> None:
    path = path / FEATURES if path.is_dir() else path
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        features = {key.removeprefix("features."): value for key, value in state.items()}
        for name, parameter in model.named_parameters():
            if name.startswith("net."):  # "net.slice1.0.weight" -> "0.weight"
                parameter.data.copy_(features[name.split(".", 2)[2]])
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f"{path}: not SqueezeNet's features ({error}); set LEARNIR_LPIPS_WEIGHTS to the file "
            f"{FEATURES} or its folder, or unset it to have them fetched"
        ) from error
