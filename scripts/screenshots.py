"""Every tab of the app at 1440 and 390 pixels, light and dark: docs/figures/app_*.jpg.

    python scripts/screenshots.py [--out docs/figures] [--all]

Starts the app with the shipped weights, a small FaceShadow of the astronaut and the repository's
results, and photographs it with Chromium. Without --all only the pictures that the docs show are
kept. The only face in them is scikit-image's astronaut (NASA, public domain).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
TABS = ("Restore", "Batch", "Make a shadow", "Dataset", "Leaderboard", "About")
SIZES = {"wide": (1440, 1000), "phone": (390, 844)}
SHOWN = {("Restore", "wide", "light"), ("Make a shadow", "wide", "light")}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def small_dataset(folder: Path) -> Path:
    """A FaceShadow of the astronaut, to have something to browse."""
    from dataset_tools.build import BuildPlan, build
    from dataset_tools.engines import EnginePlan
    from dataset_tools.shards import PairPlan

    portraits = folder / "portraits"
    portraits.mkdir()
    shutil.copy(ROOT / "demo" / "examples" / "portrait.jpg", portraits / "astronaut.jpg")
    build(
        BuildPlan(
            photos=(str(portraits),),
            out=folder / "faceshadow",
            pairs=PairPlan(pairs_per_photo=48, size=128),
            licence="public domain",
            engine=EnginePlan("local", 1),
            sheets=False,
        )
    )
    return folder / "faceshadow"


def start(dataset: Path, results: Path) -> tuple[Any, str]:
    """The app, its model loaded; the page's address."""
    from demo import leaderboard_reading as leaderboard
    from demo.context import Context
    from demo.engine import Engine
    from demo.interface import build, launch_options
    from demo.options import Options
    from demo.restore_events import first_result
    from demo.storage import open_cache

    open_cache()
    options = Options(dataset=str(dataset), results=results)
    context = Context(options, Engine(None))
    page = build(context)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options(options))
    context.engine.start(
        then=lambda: first_result(context), last=lambda: leaderboard.warm_up(results)
    )
    context.engine.settle(120)
    return page, url


def photograph(browser: Any, url: str, out: Path, everything: bool) -> None:
    """Opens every tab in every size and mode and writes what it looks like."""
    for size, (width, height) in SIZES.items():
        for mode in ("light", "dark"):
            wanted = [t for t in TABS if everything or (t, size, mode) in SHOWN]
            if not wanted:
                continue
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(f"{url}?__theme={mode}")
            page.get_by_role("button", name="Remove the shadow").wait_for()
            page.wait_for_timeout(6000)
            for tab in wanted:
                open_tab(page, tab)
                name = f"app_{tab.lower().replace(' ', '_')}_{size}_{mode}.jpg"
                page.screenshot(path=out / name, full_page=True, type="jpeg", quality=80)
                print(out / name, flush=True)
            page.close()


def open_tab(page: Any, tab: str) -> None:
    """Clicks a tab; on a phone it may hide behind the overflow menu."""
    button = page.get_by_role("tab", name=tab, exact=True).first
    if not button.is_visible():
        page.locator(".overflow-menu > button").first.click()
        page.locator(".overflow-dropdown").get_by_text(tab, exact=True).click()
    else:
        button.click()
    page.wait_for_timeout(5000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--all", action="store_true", help="every tab, both sizes, both modes")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        app, url = start(small_dataset(Path(folder)), options.results)
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            photograph(browser, url, options.out, options.all)
            browser.close()
        app.close(verbose=False)


if __name__ == "__main__":
    main()
