"""Networks by name. Each maps a sequence of pictures and the signal level a_t to its output."""

from learnir.networks.naf import Corrector, NAFDenoiser
from learnir.networks.unet import ResidualUNet

NETWORKS = {"naf": NAFDenoiser, "unet": ResidualUNet}

__all__ = ["NETWORKS", "Corrector", "NAFDenoiser", "ResidualUNet"]
