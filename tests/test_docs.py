"""What the pages point to is there."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    p for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("learnir/**/*.md"))
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_of_the_repository(page):
    """Tracked ones: a picture that only this machine has is a broken link elsewhere."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    tracked = {ROOT / name for name in listed.stdout.splitlines()}
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path = (page.parent / target).resolve()
        assert path.is_dir() or (path in tracked if tracked else path.is_file()), target


def test_the_tables_of_scores_are_those_that_the_script_writes(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import make_figures

    scores = json.loads((make_figures.WEIGHTS / "scores.json").read_text(encoding="utf-8"))
    table = make_figures.score_table(scores)
    assert table.endswith("identical pictures count as 80 dB.")
    for page in make_figures.PAGES:
        assert f"<!-- scores -->\n{table}\n<!-- /scores -->" in page.read_text(encoding="utf-8")
