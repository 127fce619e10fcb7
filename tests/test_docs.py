"""What the pages point to is there."""

import ast
import json
import re
import subprocess
import sys
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


SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_know_the_options_that_they_say_they_have(script):
    """In the lines of their docstring that show how they are called."""
    told = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    usage = re.findall(r"^ *python scripts/(?:.*\\\n)*.*", told, re.MULTILINE)
    options = re.findall(r"(?<![\w-])--?[a-z][\w-]*", "\n".join(usage))
    assert set(options) <= words_of(script)


def words_of(script):
    """The texts in a script, and in those that it takes its parser from where it has none."""
    text = script.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))
    words = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    if "ArgumentParser(" not in text:
        others = {
            script.with_name(f"{n.module}.py") for n in nodes if isinstance(n, ast.ImportFrom)
        }
        words = words.union(*(words_of(other) for other in others if other in SCRIPTS))
    return words


def filled_tables():
    """Of every result file: the pages that hold its table, the marker's name, and what it holds."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import adaptation
        import make_figures
        import performance_tables
        from result_files import dated, read_result
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    found = [(make_figures.PAGES, "scores", make_figures.WEIGHTS / "scores.json")]
    tables = {"scores": make_figures.score_table}
    results = ROOT / "docs" / "results"
    for name, (table, pages) in make_figures.TABLES.items():
        tables[name] = table
        found.append((pages, name, results / f"{name}.json"))
    for name, table in performance_tables.TABLES.items():
        tables[name] = table
        found.append(((performance_tables.PAGE,), name, results / f"{name}.json"))
    for name in adaptation.NAMES:
        tables[name] = lambda found: adaptation.table(found["rows"])
        found.append(((ROOT / "docs" / "ablation.md",), name, results / f"{name}.json"))
    for pages, name, path in found:
        result = read_result(path)
        content = dated(tables[name](result), result)
        yield from (pytest.param(page, name, content, id=f"{page.stem}-{name}") for page in pages)


@pytest.mark.parametrize(("page", "name", "content"), filled_tables())
def test_tables_are_those_that_the_scripts_write(page, name, content):
    """``make figures`` was run after the last measurement and the last change of weights."""
    text = page.read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n{content}\n<!-- /{name} -->" in text


def test_the_scores_are_of_the_shipped_weights(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from result_files import shipped_hash

    scores = json.loads((ROOT / "learnir" / "weights" / "scores.json").read_text(encoding="utf-8"))
    assert {row["weights"] for row in scores.values()} == {shipped_hash()}
