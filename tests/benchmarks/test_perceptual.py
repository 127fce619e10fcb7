"""LPIPS against the official package, with a random backbone: no weights need to be at hand."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import perceptual
from benchmarks.perceptual import BACKBONES, MetricUnavailable, lpips, lpips_batch


@pytest.fixture(scope="module")
def official():
    """The package's own network."""
    from lpips import LPIPS

    torch.manual_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False).eval()


@pytest.fixture
def state(official, tmp_path, monkeypatch):
    """Its convolutions as the backbone that is found, and is taken for the published one."""
    tensors = {k.split(".", 1)[1]: v.data for k, v in official.net.named_parameters()}
    torch.save(tensors, tmp_path / "alexnet_features.pth")
    monkeypatch.setenv("LEARNIR_LPIPS_WEIGHTS", str(tmp_path))
    known = replace(BACKBONES["alex"], weights_digest=perceptual.digest(tensors))
    monkeypatch.setitem(BACKBONES, "alex", known)
    perceptual.network.cache_clear()
    yield tensors
    perceptual.network.cache_clear()


def pairs():
    """Pictures of two sizes, in turns."""
    rng = np.random.default_rng(2)
    for height, width in ((40, 48), (65, 33), (40, 48), (40, 48)):
        a = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        yield a, np.clip(a + rng.normal(0, 60, a.shape), 0, 255).astype(np.uint8)


def test_every_pair_gets_what_the_package_gives_it(official, state):
    results, targets = zip(*pairs(), strict=True)
    known = []
    for pair in zip(results, targets, strict=True):
        x, y = (torch.from_numpy(p).permute(2, 0, 1)[None] / 127.5 - 1 for p in pair)
        with torch.inference_mode():
            known.append(float(official(x, y)))
    together = lpips_batch(results, targets)
    assert together == pytest.approx(known, rel=1e-4)
    assert len(set(np.round(together, 6))) == 4
    assert lpips(results[1], targets[1]) == pytest.approx(together[1], rel=1e-5)
    assert lpips(targets[1], targets[1]) == 0


def test_another_backbone_gives_no_number(state, tmp_path):
    state["0.bias"] = state["0.bias"] + 1e-3
    (tmp_path / "other").mkdir()
    torch.save(state, tmp_path / "other" / "alexnet_features.pth")
    with pytest.raises(MetricUnavailable, match="not the weights LPIPS alex was published with"):
        perceptual.load_features(BACKBONES["alex"], tmp_path / "other" / "alexnet_features.pth")


def test_a_backbone_at_hand_is_not_fetched(state, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", pytest.fail)
    assert perceptual.fetch("alex") == tmp_path / "alexnet_features.pth"
