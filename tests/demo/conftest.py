"""A served app with a tiny random model, and a browser that forgives no error, no call out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uploads import EXAMPLES

BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",  # a camera that shows a test card, and may be used
    "--use-fake-device-for-media-stream",
]


@dataclass(frozen=True)
class App:
    """A running app."""

    url: str
    context: Any
    cache: Path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with small random weights: quick, and it does change the picture."""
    import torch

    from learnir.checkpoint import save_checkpoint
    from learnir.config import ModelConfig
    from learnir.model import LearnIRModel

    torch.manual_seed(0)
    arguments = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}
    model = LearnIRModel(ModelConfig(network_args=arguments, work_size=64))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint"), model)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root whose ``ucb`` is the app's examples, four astronauts in the shade."""
    root = tmp_path_factory.mktemp("data")
    for kind in ("input", "target"):
        (root / "ucb" / kind).mkdir(parents=True)
    for number, name in enumerate(("hand", "wall", "brim", "leaves")):
        shutil.copy(EXAMPLES / f"{name}.jpg", root / "ucb" / "input" / f"{number}-0.jpg")
        shutil.copy(EXAMPLES / f"{name}-clean.jpg", root / "ucb" / "target" / f"{number}-0.jpg")
    return root


@pytest.fixture(scope="session")
def results(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two methods on those four."""
    from benchmarks.runner import RunPlan, run

    folder = tmp_path_factory.mktemp("results")
    for method in ("input", "retinex"):
        run(RunPlan(method, "ucb", folder, "256-v1", root=str(data_root), faces=False, workers=1))
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built FaceShadow of 60 pairs of the astronaut."""
    from dataset_tools.build import BuildPlan, build
    from dataset_tools.engines import EnginePlan
    from dataset_tools.shards import PairPlan

    portraits = tmp_path_factory.mktemp("portraits")
    shutil.copy(EXAMPLES / "portrait.jpg", portraits / "astronaut.jpg")
    out = tmp_path_factory.mktemp("built") / "faceshadow"
    build(
        BuildPlan(
            photos=(str(portraits),),
            out=out,
            pairs=PairPlan(pairs_per_photo=60, size=96),
            licence="public domain",
            engine=EnginePlan("local", 1),
            sheets=False,
        )
    )
    return out


@pytest.fixture(scope="session")
def app(
    checkpoint: Path,
    results: Path,
    dataset: Path,
    data_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[App]:
    """The whole app on a free port, its model loaded and its first result made."""
    cache = tmp_path_factory.mktemp("cache")
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    os.environ["LEARNIR_DATA"] = str(data_root)
    from demo.context import Context
    from demo.engine import Engine
    from demo.interface import build, launch_options
    from demo.options import Options
    from demo.restore_events import first_result

    options = Options(checkpoint=str(checkpoint), results=results, dataset=str(dataset))
    context = Context(options, Engine(options.checkpoint))
    page = build(context)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options(options))
    context.engine.start(then=lambda: first_result(context))
    context.engine.settle(120)
    yield App(url.rstrip("/"), context, cache)
    page.close(verbose=False)
    del os.environ["LEARNIR_DATA"]


@pytest.fixture(scope="session")
def client(app: App) -> Any:
    """A gradio_client connected to the app."""
    from gradio_client import Client

    return Client(app.url, verbose=False, download_files=str(app.cache.parent / "downloads"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium under Playwright."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("browser tests need Chromium: apt-get install chromium (make system)")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, app: App, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The opened app; after the test, no console error and no request to another host."""
    options = {"viewport": {"width": 1440, "height": 1000}, **getattr(request, "param", {})}
    context = browser.new_context(**options, accept_downloads=True)
    opened = context.new_page()
    outside: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda sent: outside.append(sent.url) if foreign(sent.url, app) else None)
    opened.on("console", lambda m: complaints.append(told(m)) if m.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(app.url)
    opened.get_by_role("button", name="Remove the shadow").wait_for()
    # the first result and its scores are there: nothing that belongs to opening comes later
    opened.locator("#restore-scores tbody td").first.wait_for(state="attached", timeout=60_000)
    yield opened
    context.close()
    assert outside == []
    assert complaints == []


def told(message: Any) -> str:
    """A line of the console and where it comes from."""
    return f"{message.text} ({message.location['url']})"


def foreign(url: str, app: App) -> bool:
    """Whether a request leaves the app."""
    return not url.startswith((app.url, "data:", "blob:", app.url.replace("http", "ws", 1)))


@pytest.fixture
def submission(data_root: Path, tmp_path: Path) -> Path:
    """A sound submission on the app's little board."""
    from PIL import Image

    from benchmarks.submissions import template

    folder = tmp_path / "bundle"
    (folder / "results").mkdir(parents=True)
    card = template("ucb", "256-v1", data_root) | {"method": "Grey", "by": "Ann"}
    for name in card["files"]:
        Image.new("RGB", (256, 256), "grey").save(folder / "results" / name)
        data = (folder / "results" / name).read_bytes()
        card["files"][name] = hashlib.sha256(data).hexdigest()
    card |= {"training_data": "none", "source": "none"}
    (folder / "submission.json").write_text(json.dumps(card))
    return Path(shutil.make_archive(str(folder), "zip", folder))
