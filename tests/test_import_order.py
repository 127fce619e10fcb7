"""Which folder may import which, and that importing stays cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = {"learnir", "dataset_tools", "benchmarks", "demo", "app"}
MAY_IMPORT = {
    "learnir": set(),
    "dataset_tools": {
        "learnir.console",
        "learnir.cores",
        "learnir.decoding",
        "learnir.images",
        "learnir.names",
        "learnir.paths",
        "learnir.progress",
        "learnir.quiet",
        "learnir.training.data",
        "learnir.writing",
    },
    "benchmarks": {"learnir", "dataset_tools"},
    "demo": {"learnir", "dataset_tools", "benchmarks"},
    "app": {"demo"},
}
HEAVY = ("torch", "mediapipe", "gradio", "pandas", "datasets", "daft", "skimage", "scipy")


def sources(folder: str) -> list[Path]:
    return [ROOT / "app.py"] if folder == "app" else sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of every module a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def allowed(name: str, folder: str) -> bool:
    within = {folder, *MAY_IMPORT[folder]}
    return any(name == ok or name.startswith(f"{ok}.") for ok in within)


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_imports_point_downwards(folder):
    assert sources(folder), f"{folder} has no source"
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        for name in imported(path)
        if name.partition(".")[0] in OWN and not allowed(name, folder)
    }
    assert not wrong


def test_the_check_sees_an_upward_import(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from benchmarks import metrics\n")
    assert not any(allowed(name, "learnir") for name in imported(bad))


@pytest.mark.parametrize("package", ["learnir", "dataset_tools", "benchmarks", "demo"])
def test_importing_a_package_loads_nothing_heavy(package):
    program = f"import sys, {package}; print([m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip() == "[]"


def test_dataset_tools_never_loads_torch():
    modules = [
        f"dataset_tools.{path.stem}" for path in sources("dataset_tools") if path.stem != "__init__"
    ]
    program = (
        f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip() == "False"
