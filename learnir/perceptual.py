"""LPIPS (Zhang et al. 2018) with a backbone whose weights the caller has: nothing is downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor


def lpips_network(net: str) -> Any:
    """LPIPS, version 0.1, for inference; its backbone "alex", "vgg" or "squeeze" is random yet."""
    from lpips import LPIPS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's notice about ``pretrained``
        return LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False).eval()


def load_backbone(lpips: Any, state: Mapping[str, Tensor]) -> None:
    """Gives an LPIPS network the convolutions of a torchvision state ("features.0.weight", ...).

    Raises KeyError or RuntimeError where these are of another network.
    """
    features = {key.removeprefix("features."): value for key, value in state.items()}
    for name, parameter in lpips.net.named_parameters():
        parameter.data.copy_(features[name.split(".", 1)[1]])  # "slice1.0.weight" -> "0.weight"
