"""Networks by name. Each maps a sequence of pictures and the signal level a_t to its output."""

from collections.abc import Callable

from torch import nn

from learnir.networks.folded import folded
from learnir.networks.naf import Corrector, NAFDenoiser
from learnir.networks.unet import ResidualUNet

NETWORKS: dict[str, Callable[..., nn.Module]] = {"naf": NAFDenoiser, "unet": ResidualUNet}

__all__ = ["NETWORKS", "Corrector", "NAFDenoiser", "ResidualUNet", "folded"]
