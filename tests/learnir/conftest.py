"""Fixtures of the pipeline's tests: a tiny untrained model that does change pictures."""

import dataclasses

import cv2
import numpy as np
import pytest
from albums import save


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def tiny_model(config, seed=0):
    """An untrained model whose head is not zero, so that restoring visibly changes a picture."""
    import torch

    from learnir.model import LearnIRModel

    torch.manual_seed(seed)
    model = LearnIRModel(config)
    torch.nn.init.normal_(model.denoiser.exit.weight, std=0.05)
    torch.nn.init.constant_(model.denoiser.exit.bias, -0.2)
    return model


@pytest.fixture(scope="session")
def awake():
    """``awake(network, seed=0)``: zero-initialised layers filled, so that every part counts."""
    import torch

    def fill(network, seed=0):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in network.parameters():
                p.add_(0.05 * torch.randn(p.shape, generator=generator))
        return network.eval()

    return fill


@pytest.fixture(scope="session", name="tiny_model")
def tiny_model_fixture():
    """``tiny_model(config, seed)``, for fixtures that outlive a test."""
    return tiny_model


@pytest.fixture
def learnir(tiny_config):
    """A pipeline around the tiny model, working size 64."""
    from learnir.pipeline import LearnIR

    return LearnIR(tiny_model(tiny_config), {"seed": 7})


@pytest.fixture
def faceless(monkeypatch):
    """No faces are looked for in drawn pictures, which have none: MediaPipe takes its time."""
    monkeypatch.setattr("learnir.pipeline.find_faces", lambda _picture: [])
    monkeypatch.setattr("learnir.pipeline.way_up", lambda _picture: 0)


@pytest.fixture
def branched(tiny_config):
    """The same with an (untrained) correction branch."""
    from learnir.pipeline import LearnIR

    corrector = {"width": 8, "encoder": (1,), "middle": 1, "decoder": (1,)}
    return LearnIR(tiny_model(dataclasses.replace(tiny_config, corrector=corrector)))


@pytest.fixture
def checkpoint(tmp_path, learnir):
    """The tiny model as a checkpoint folder."""
    return learnir.save_pretrained(tmp_path / "checkpoint")


def scene(H=96, W=120, dtype=np.uint8, seed=0):
    """A rendered picture: smooth colours, a fine pattern, no two pixels alike."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(0.25, 0.75, (6, 6, 3)).astype(np.float32)
    smooth = cv2.resize(small, (W, H), interpolation=cv2.INTER_CUBIC)
    pattern = 0.08 * np.sin(np.arange(W) * 1.1)[None, :, None] * np.sin(np.arange(H))[:, None, None]
    noise = rng.normal(0, 0.01, (H, W, 3))
    full = np.iinfo(dtype).max
    return (np.clip(smooth + pattern + noise, 0, 1) * full + 0.5).astype(dtype)


@pytest.fixture(name="scene")
def scene_fixture():
    """``scene(H, W, dtype, seed)``: rendered pictures."""
    return scene


@pytest.fixture(scope="module")
def pairs_folder(tmp_path_factory):
    """Twelve rendered pairs: coloured gradients, darkened on one side."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for name in ("input", "target"):
        (folder / name).mkdir()
    for i in range(12):
        ramp = np.linspace(60, 230, 72)[None, :, None] * rng.uniform(0.6, 1, 3)
        target = np.broadcast_to(ramp, (72, 72, 3)).astype(np.uint8)
        shadow = target.copy()
        shadow[:, : 20 + 2 * i] //= 2
        cv2.imwrite(str(folder / "input" / f"{i:02d}.png"), shadow)
        cv2.imwrite(str(folder / "target" / f"{i:02d}.png"), target)
    return folder


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory, pairs_folder):
    """A finished training of the smoke preset on those pairs; to be read or copied."""
    from learnir.training import command

    out = tmp_path_factory.mktemp("smoke") / "run"
    assert command.train("smoke", [pairs_folder], out, device="cpu") == out / "last"
    return out


@pytest.fixture
def pairs(tmp_path):
    """Six rendered pairs in input/ and target/."""
    rng = np.random.default_rng(0)
    for i in range(6):
        target = rng.integers(80, 200, (72, 72, 3)).astype(np.uint8)
        for name, picture in (("input", target // 2), ("target", target)):
            (tmp_path / "pairs" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "pairs" / name / f"{i}.png"), picture)
    return tmp_path / "pairs"


@pytest.fixture
def album(tmp_path, scene):
    """A folder with two pictures, one of them deeper, and a text file."""
    save(tmp_path / "album" / "a.png", scene(40, 50))
    save(tmp_path / "album" / "deep" / "b.jpg", scene(50, 40, seed=1), quality=95)
    (tmp_path / "album" / "notes.txt").write_text("not a picture")
    return tmp_path / "album"


@pytest.fixture
def run(capsys):
    """``run(arguments)`` -> exit code, stdout, stderr of ``learnir``."""

    from learnir.cli import main

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def command(checkpoint, run):
    """``command(arguments)`` -> exit code, stdout, stderr of ``learnir restore``."""
    return lambda *arguments: run("restore", "--checkpoint", checkpoint, *arguments)
