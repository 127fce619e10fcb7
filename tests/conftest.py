"""Fixtures of all tests: the developers' shared folder, a tiny model, one thread for torch."""

import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
if not torch.cuda.is_available():  # then Triton, which is not imported yet, interprets its kernels
    os.environ.setdefault("TRITON_INTERPRET", "1")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Two test processes on two cores: more threads would only wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The developers' shared folder; tests that need it skip without it."""
    folder = Path(os.environ.get("LEARNIR_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("needs the developers' shared data folder (set LEARNIR_SHARED)")
    return folder


@pytest.fixture
def tiny_config():
    """A model config small enough for any test."""
    from learnir.config import ModelConfig

    arguments = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}
    return ModelConfig(network_args=arguments, work_size=64)
