"""A command whose extra is not installed says so in one line, with what to type."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from {module} import main
sys.exit(main({arguments}))
"""
BUILD = ["build", "photos", "out", "--allow-unlicensed"]


@pytest.mark.parametrize(
    ("missing", "module", "arguments", "remedy"),
    [
        ("filelock", "dataset_tools.cli", BUILD, ".[data]"),
        ("pandas", "benchmarks.cli", ["run", "--method", "input", "--dataset", "."], "[bench]"),
        ("pandas", "benchmarks.cli", ["table"], ".[bench]"),
        ("skimage", "demo.quickstart", ["--out", "out.png"], ".[data]"),
        ("gradio", "app", None, "requirements.txt"),
    ],
)
def test_a_missing_extra_is_told_in_one_line(tmp_path, missing, module, arguments, remedy):
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "demo" / "examples" / "portrait.jpg", tmp_path / "photos")
    given = "" if arguments is None else repr(arguments)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(module=module, arguments=given), missing],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert missing in done.stderr
    assert remedy in done.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("command", ["benchmarks.cli", "dataset_tools.cli"])
def test_what_a_library_says_it_lacks_is_one_line_too(command, monkeypatch, capsys):
    """pandas without pyarrow raises a plain ImportError, of several lines."""
    cli = import_module(command)

    def lacks(_options):
        raise ImportError("Unable to find a usable engine; tried using: 'pyarrow'.\nA list follows")

    name, words = {
        "benchmarks.cli": ("table", ["table"]),
        "dataset_tools.cli": ("stats", ["stats", "x"]),
    }[command]
    monkeypatch.setitem(cli.RUNNERS, name, lacks)
    assert cli.main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "'pyarrow'. A list follows; in the repository run: pip install -e '.[" in line


def extras() -> dict[str, dict[str, Requirement]]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    given = tomllib.loads(text)["project"]["optional-dependencies"]
    return {extra: {r.name: r for r in map(Requirement, rows)} for extra, rows in given.items()}


def test_no_extra_admits_a_pyarrow_that_refuses_our_numpy():
    """pyarrow 26 imports with NumPy 2 only; no resolver knows."""
    admitted = [rows["pyarrow"].specifier for rows in extras().values() if "pyarrow" in rows]
    assert len(admitted) == 3
    assert not [found for found in admitted if found.contains("26.0.1")]


def test_what_scores_faces_finds_them():
    """``learnir-bench run`` on faces has metrics inside them."""
    assert extras()["faces"].items() <= extras()["bench"].items()
