"""The page behind a slow line: what was chosen last is what is shown."""

from __future__ import annotations

import pytest
from test_app_browser import LONG, open_tab, visible
from test_app_tabs_pages import choose

pytestmark = pytest.mark.slow


def slowed(page) -> None:
    """Every request takes two seconds from now on."""
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    conditions = {"offline": False, "latency": 2000, "downloadThroughput": -1}
    line.send("Network.emulateNetworkConditions", conditions | {"uploadThroughput": -1})


def ranked(page) -> None:
    """Waits until the leaderboard is there, with the two that can be compared."""
    open_tab(page, "Leaderboard")
    visible(page.locator("#board-table"), "retinex").wait_for(timeout=LONG)
    page.wait_for_function("() => document.querySelector('#board-b input')?.value", timeout=LONG)


def test_of_two_examples_the_last_one_stays(page):
    slowed(page)
    examples = page.locator("#restore-examples button")
    examples.nth(1).click()
    examples.nth(2).click()
    page.locator("#restore-facts").get_by_text("brim.jpg").wait_for(timeout=LONG)


@pytest.fixture
def another_board(results, data_root):
    """A second one with one method, while the test runs."""
    from benchmarks.runner import RunPlan, run

    before = set(results.iterdir())
    plan = RunPlan("input", "ucb", results, "native-v1", root=str(data_root), faces=False)
    run(plan)
    yield
    for path in set(results.iterdir()) - before:
        path.unlink()


def test_of_two_boards_the_last_one_is_ranked(another_board, page):
    ranked(page)
    slowed(page)
    names = []
    for protocol in ("native-v1", "256-v1"):
        page.locator("#board-choice input").click()
        option = page.get_by_role("option").filter(has_text=protocol)
        names.append(option.inner_text())
        option.click()
    visible(page.locator("#board-table"), "retinex").wait_for(timeout=LONG)
    page.wait_for_timeout(5000)
    assert page.locator("#board-choice input").input_value() == names[-1]
    assert "retinex" in page.locator("#board-table").inner_text()
    with page.expect_download(timeout=LONG) as saved:
        page.locator("#board-csv").click()
    assert "retinex" in saved.value.path().read_text()


def test_of_two_pairs_the_last_one_is_opened(page):
    open_tab(page, "Dataset")
    pictures = page.locator("#dataset-gallery button")
    pictures.nth(23).wait_for(timeout=LONG)
    shares = [page.locator("#dataset-gallery .caption-label").nth(n).inner_text() for n in (0, 1)]
    assert shares[0] != shares[1]
    slowed(page)
    pictures.nth(0).click()
    pictures.nth(1).click()
    page.wait_for_function(
        "share => { const all = document.querySelector('#dataset-facts')?.innerText ?? '';"
        ' const found = all.match(/"coverage"\\s*:\\s*([0-9.]+)/);'
        " return found && Math.round(100 * found[1]) + '%' === share }",
        arg=shares[1],
        timeout=LONG,
    )


def test_what_is_compared_and_looked_at_last_is_shown(page):
    ranked(page)
    first = page.locator("#board-a input").input_value()
    slowed(page)
    page.locator("#board-compare").click()
    choose(page, "#board-b", first)
    page.locator("#board-compare").click()
    told = page.locator("#board-metrics")
    told.get_by_text(f"A: {first}, B: {first}").first.wait_for(timeout=LONG)
    visible(page.locator("#board-pictures"), "0-0").click()
    visible(page.locator("#board-pictures"), "2-0").click()
    label = page.locator("#board-slider").get_by_text(f"{first} | {first}: 2-0")
    label.wait_for(timeout=LONG)
