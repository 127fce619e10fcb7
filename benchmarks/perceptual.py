"""LPIPS of the official ``lpips`` package (version 0.1), with backbone weights that are checked.

The package's own linear layers come with it; the backbone (AlexNet or VGG-16 trained on ImageNet)
does not. It is looked for, never fetched in passing: a file or folder in ``LEARNIR_LPIPS_WEIGHTS``,
``weights/`` of the shared folder, then torch's download cache. A backbone that is not there, or
whose weights are not the published ones, makes the metric *missing with a reason*.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.locations import shared_root
from benchmarks.metrics import check_pair
from benchmarks.names import look_up

if TYPE_CHECKING:
    import torch

SMALLEST = 33  # below this the AlexNet backbone has no pixels left
PIXELS_A_BATCH = 1 << 20


class MetricUnavailable(RuntimeError):
    """A metric that cannot be computed here, and why."""


@dataclass(frozen=True)
class Backbone:
    """Where LPIPS finds one backbone, and how its weights are recognised."""

    net: str
    features_file: str | None  # the convolutions alone
    hub_file: str  # torchvision's name ends in the first 8 digits of its SHA-256
    url: str
    weights_digest: str | None  # of the feature tensors; None: only the hub file is accepted

    @property
    def files(self) -> tuple[str, ...]:
        """The names it is looked for under."""
        return tuple(name for name in (self.features_file, self.hub_file) if name)


BACKBONES: dict[str, Backbone] = {
    "alex": Backbone(
        "alex",
        "alexnet_features.pth",
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "8eed026b364dd02bdf76d6ca5a9bfaa0efb090d22a8b79ad51186269c08605c7",
    ),
    "vgg": Backbone(
        "vgg",
        None,
        "vgg16-397923af.pth",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        None,
    ),
}


def lpips(a: np.ndarray, b: np.ndarray, net: str = "alex", device: str = "cpu") -> float:
    """LPIPS of two pictures, 0 for equal ones. MetricUnavailable where the backbone is missing."""
    return lpips_batch([a], [b], net, device)[0]


def lpips_batch(
    results: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    net: str = "alex",
    device: str = "cpu",
) -> list[float]:
    """LPIPS of many pairs; pictures of one size share a forward pass of about a megapixel."""
    import torch

    for a, b in zip(results, targets, strict=True):
        check_pair(a, b)
        if min(a.shape[:2]) < SMALLEST:
            raise MetricUnavailable(f"LPIPS needs {SMALLEST}x{SMALLEST} pixels; picture is smaller")
    model, scores = network(net, device), [0.0] * len(results)
    with torch.inference_mode():
        for group in _equal_sizes(results):
            x, y = (_signed([side[i] for i in group], device) for side in (results, targets))
            for i, value in zip(group, model(x, y).flatten().tolist(), strict=True):
                scores[i] = float(value)
    return scores


def why_missing(net: str) -> str | None:
    """The reason LPIPS with this backbone cannot be computed here, None where it can."""
    try:
        load_features(BACKBONES[net], find_weights(BACKBONES[net]))
    except MetricUnavailable as reason:
        return str(reason)
    return None


@cache
def network(net: str, device: str = "cpu") -> torch.nn.Module:
    """The LPIPS network with checked backbone weights, loaded once."""
    from learnir.perceptual import load_backbone, lpips_network

    backbone = BACKBONES[net]
    features = load_features(backbone, find_weights(backbone))
    model = lpips_network(net)
    load_backbone(model, features)
    return model.to(device)


def find_weights(backbone: Backbone) -> Path:
    """The backbone's file, or MetricUnavailable that names the places looked at."""
    for path in _places(backbone):
        if path.is_file():
            return path
    raise MetricUnavailable(
        f"LPIPS {backbone.net}: no {' or '.join(backbone.files)}; set LEARNIR_LPIPS_WEIGHTS to it "
        f"or its folder, or run `learnir-bench weights {backbone.net}`"
    )


@cache
def load_features(backbone: Backbone, path: Path) -> dict[str, torch.Tensor]:
    """The backbone's convolution weights, refused unless they are the published ones."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its reader stumbled over
        raise MetricUnavailable(f"{path}: damaged; delete it and fetch it anew") from error
    features = {k.removeprefix("features."): v for k, v in state.items() if "classifier" not in k}
    expected = backbone.weights_digest
    known = digest(features) == expected if expected else _hub_hash_agrees(path)
    if not known:
        raise MetricUnavailable(f"{path}: not the weights LPIPS {backbone.net} was published with")
    return features


def digest(features: dict[str, torch.Tensor]) -> str:
    """SHA-256 of the tensors in the order of their names: independent of the file around them."""
    sha = hashlib.sha256()
    for name in sorted(features):
        sha.update(name.encode())
        sha.update(features[name].contiguous().numpy().astype("<f4").tobytes())
    return sha.hexdigest()


def _hub_hash_agrees(path: Path) -> bool:
    prefix = path.stem.rsplit("-", 1)[-1]
    return len(prefix) == 8 and hashlib.sha256(path.read_bytes()).hexdigest().startswith(prefix)


def _places(backbone: Backbone) -> Iterator[Path]:
    given = os.environ.get("LEARNIR_LPIPS_WEIGHTS")
    if given and Path(given).name in backbone.files:
        yield Path(given)
    folders = [Path(given)] if given else []
    shared = shared_root()
    folders += [shared / "weights"] if shared else []
    yield from (folder / name for folder in folders for name in backbone.files)
    yield hub_cache() / backbone.hub_file


def hub_cache() -> Path:
    """Where torch keeps downloaded models."""
    home = os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch"
    return Path(home) / "hub" / "checkpoints"


def fetch(net: str) -> Path:
    """A backbone's file, checked; downloaded into torch's cache where there is none yet."""
    backbone = look_up("backbone", net, BACKBONES)
    try:
        path = find_weights(backbone)
    except MetricUnavailable:
        path = _downloaded(backbone)
    load_features(backbone, path)
    return path


def _downloaded(backbone: Backbone) -> Path:
    from urllib.error import URLError

    import torch

    target = hub_cache() / backbone.hub_file
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(backbone.url, str(target))
    except (URLError, OSError) as error:
        raise MetricUnavailable(f"{backbone.url}: {error}; check the network") from error
    return target


def _equal_sizes(pictures: Sequence[np.ndarray]) -> Iterator[list[int]]:
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, picture in enumerate(pictures):
        by_shape.setdefault(picture.shape, []).append(i)
    for (height, width, *_), indices in by_shape.items():
        size = max(1, PIXELS_A_BATCH // (height * width))
        yield from (indices[i : i + size] for i in range(0, len(indices), size))


def _signed(pictures: list[np.ndarray], device: str) -> torch.Tensor:
    from learnir.images import to_tensor

    return to_tensor(np.stack(pictures)).to(device)
