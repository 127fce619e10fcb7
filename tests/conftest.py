"""Fixtures of all tests, and which of them run in one process.

Three processes on two cores: those that wait, for a page or a child, leave the others a core.
"""

import os
from pathlib import Path

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
if not torch.cuda.is_available():  # then Triton, which is not imported yet, interprets its kernels
    os.environ.setdefault("TRITON_INTERPRET", "1")
ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "browser", "restore_page", "slow_line", "stopping", "tabs_pages", "touching_up", "uploads",
)  # fmt: skip
ENDPOINTS = ("by_hand", "crowd", "endpoints", "hostile", "tabs_endpoints")
TOGETHER = {
    f"tests/demo/test_app_{name}.py": kind
    for kind, names in (("pages", PAGES), ("endpoints", ENDPOINTS))
    for name in names
}


class Together(LoadFileScheduling):
    """A file stays on one worker; those that one app, or one browser, can serve are as one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config, log):
    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Files with slow tests begin, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """There are more test processes than cores: threads would only wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk():
    """What a test writes need not outlive a power cut; the test of that watches its own sync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)
        yield


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


@pytest.fixture
def suite(monkeypatch):
    """scripts/bench_suite.py as a module."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import bench_suite

    return bench_suite
