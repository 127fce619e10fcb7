"""From a portrait to a restored picture, by the commands a user types."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from learnir.checkpoint import SHIPPED

ROOT = Path(__file__).parents[1]


def command(module: str, *arguments: object) -> subprocess.CompletedProcess:
    """``python -m module arguments``, as the console script runs it."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env=None,
    )


@pytest.fixture(scope="module")
def portraits(tmp_path_factory) -> Path:
    """A folder that holds the astronaut."""
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("portraits")
    cv2.imwrite(str(folder / "astronaut.png"), astronaut()[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def pairs(portraits, tmp_path_factory) -> Path:
    """A FaceShadow of eight pairs, in the split that the name's hash gives."""
    out = tmp_path_factory.mktemp("built") / "faceshadow"
    built = command(
        "dataset_tools.cli", "build", portraits, out, "--pairs-per-photo", 8, "--size", 128,
        "--format", "imagefolder", "--licence", "public domain", "--engine", "local",
        "--workers", 1, "--no-sheets",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return out


@pytest.mark.slow
def test_portrait_to_pairs_to_training_to_restored_picture(pairs, tmp_path):
    run = tmp_path / "run"
    trained = command(
        "learnir.cli", "train", "smoke", "--data", pairs, "--out", run, "--device", "cpu"
    )
    assert trained.returncode == 0, trained.stderr
    shadowed = sorted((pairs / "train" / "shadow").iterdir())[:3]
    out = tmp_path / "restored"
    restored = command("learnir.cli", "restore", *shadowed, "-o", out, "--checkpoint", run / "last")
    assert restored.returncode == 0, restored.stderr
    for path in shadowed:
        result = cv2.imread(str(out / path.name))
        assert result is not None
        assert result.shape == (128, 128, 3)


@pytest.mark.slow
def test_what_was_built_verifies(pairs):
    verified = command("dataset_tools.cli", "verify", pairs)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "8 pairs rendered again, 0 skipped" in verified.stdout


@pytest.fixture(scope="module")
def rows():
    from demo.quickstart import restore_all

    return list(restore_all(None, 512, 0))


def test_shipped_weights_take_shadows_off_a_face_they_never_saw(rows):
    gains = [row.after[0] - row.before[0] for row in rows]
    assert np.mean(gains) > 3, gains
    assert max(gains) > 6, gains


def test_shipped_weights_leave_clean_faces_alone(rows):
    from benchmarks.metrics import psnr
    from learnir import LearnIR

    learnir = LearnIR.from_pretrained()
    kept = [psnr(learnir.restore(row.clean).picture, row.clean) for row in rows]
    assert np.mean(kept) > 45, kept
    assert min(kept) > 36, kept  # black cloth is what goes wrong first


def test_shipped_weights_leave_sunglasses_alone(rows):
    from benchmarks.metrics import psnr
    from dataset_tools.studio import open_portrait
    from dataset_tools.worn import Canvas, glasses
    from learnir import LearnIR
    from learnir.images import decode_linear, encode_linear

    portrait, learnir = open_portrait(rows[0].clean), LearnIR.from_pretrained()
    bare = Canvas.of(decode_linear(portrait.picture), portrait.face.points, portrait.scene)
    changed = []
    for seed in range(6):
        picture = encode_linear(glasses(np.random.default_rng(seed), bare).linear)
        assert psnr(picture, portrait.picture) < 30  # they are seen
        changed.append(psnr(learnir.restore(picture).picture, picture))
    assert sorted(changed)[1] > 36, changed  # black glass is dark, not in shadow
    assert min(changed) > 25, changed


def test_shipped_weights_are_small_and_described():
    names = {path.name for path in SHIPPED.iterdir()}
    assert {"model.safetensors", "config.json", "training.json", "README.md"} <= names
    assert (SHIPPED / "model.safetensors").stat().st_size <= 16 * 2**20
    assert "/work" not in (SHIPPED / "training.json").read_text()


@pytest.mark.parametrize("tool", ["learnir.cli", "dataset_tools.cli", "benchmarks.cli"])
def test_help_answers(tool):
    asked = command(tool, "--help")
    assert asked.returncode == 0, asked.stderr
    assert "usage" in asked.stdout
