"""The options of ``learnir-bench``; imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from learnir.paths import expanded, expanded_path

WITH_MASK = "ground truth"  # a method's row says so where it is given the pair's mask
ABOUT = "Scores methods under fixed protocols, and ranks what was scored."
DATASET = (
    "a name (see datasets), a folder with input/ and target/, or a built FaceShadow (parquet or "
    "ImageFolder)"
)
SPLIT = "which pairs: test (the default), or another of the data set's splits (see datasets)"
SCENE = (
    "for a folder with input/ and target/: a regular expression that every name begins with, whose "
    r"first group is the scene, such as '(\d+)-\d+'; default: every picture is a scene of its own"
)
DATA_ROOT = "the folder that holds the data sets; default: LEARNIR_DATA"
SEEDS = "of a method that draws at random, run once for each; default: 0"
CLEAN = (
    "score shadow-free inputs: every target is given as the input, to see what changes needlessly"
)
WORKERS = "threads that decode and score pictures; default: 2"
CHECKPOINT = (
    "weights of the LearnIR methods: a folder or a Hub id; default: those that come with LearnIR"
)
MASK = (
    "what an outside method knows of the shadow: none (the default), detected (it finds the shadow "
    "itself) or ground truth (it is given the pair's mask)"
)
OUT = (
    "folder of result files to write; default: results, here. The other commands read the "
    "repository's own unless they are given --results FOLDER"
)
STORED = (
    "folder of result files; default: the repository's own, benchmarks/results, not the folder "
    "that run writes by default"
)
TRAINING_DATA = "what an outside method was trained on; default: unknown"


def parser() -> argparse.ArgumentParser:
    """Options of every command; imports nothing heavy."""
    top = argparse.ArgumentParser(prog="learnir-bench", description=ABOUT)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    datasets = commands.add_parser("datasets", help="the declared data sets, and which are here")
    _data_root(datasets)
    verify = commands.add_parser("verify", help="check the files of data sets, or stored results")
    verify.add_argument("names", nargs="*", help="data sets or folders; none: all that are here")
    _data_root(verify)
    verify.add_argument(
        "--results", type=expanded_path, default=None, help="check this folder's results"
    )
    verify.add_argument("--scores", action="store_true", help="also the published do-nothing row")
    commands.add_parser("protocols", help="the versioned protocols and what they fix")
    commands.add_parser("methods", help="the methods that can be named")
    _run_options(commands.add_parser("run", help="score a method on a data set"))
    table = commands.add_parser("table", help="the leaderboard")
    table.add_argument("board", nargs="?", help="id of a board, or its beginning; none: all")
    table.add_argument("--metrics", nargs="+", default=None, help="other columns, such as psnr_lit")
    table.add_argument("--format", choices=["text", "markdown", "csv", "html"], default="text")
    _results(table)
    plot = commands.add_parser("plot", help="a board as a scatter plot")
    plot.add_argument("board", help="id of a board, or its beginning")
    plot.add_argument(
        "kind", choices=["perception-distortion", "quality-time"], help="what to plot"
    )
    plot.add_argument("-o", "--out", type=expanded_path, required=True, help=".png, .svg or .pdf")
    _results(plot)
    compare = commands.add_parser("compare", help="two runs, picture by picture")
    compare.add_argument("a", help="id of a run, or its beginning")
    compare.add_argument("b", help="of the other run; differences are a minus b")
    _results(compare)
    submit = commands.add_parser("submit", help="check a submission and add it to the results")
    submit.add_argument("path", type=Path, help="folder or zip with submission.json")
    _data_root(submit)
    _results(submit)
    template = commands.add_parser("template", help="a submission.json to fill in")
    template.add_argument("dataset", help="a name (see datasets)")
    template.add_argument("protocol", help="an id (see protocols)")
    template.add_argument("--split", default="test", help=SPLIT)
    _data_root(template)
    _export(commands.add_parser("export", help="scores for a model card on the Hub"))
    published = commands.add_parser("published", help="numbers copied from papers")
    published.add_argument("dataset", nargs="?", help="a data set, such as ISTD+; none: all")
    push = commands.add_parser("push", help="mirror the results to a Hub dataset, or a folder")
    push.add_argument("where", help="owner/name, or a folder (/..., ./...)")
    push.add_argument("--public", action="store_true", help="a public Hub repository")
    _results(push)
    weights = commands.add_parser("weights", help="fetch the LPIPS backbones (needs a network)")
    weights.add_argument("nets", nargs="*", default=["alex"], help="alex, vgg")
    return top


def _results(command: argparse.ArgumentParser) -> None:
    from benchmarks.locations import RESULTS

    command.add_argument("--results", type=expanded_path, default=RESULTS, help=STORED)


def _from(least: int) -> Callable[[str], int]:
    """An argument's type: a whole number of at least ``least``."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least {least}")
        return int(text)

    return number


def _data_root(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data-root", type=expanded, default=None, help=DATA_ROOT)


def _run_options(run: argparse.ArgumentParser) -> None:
    run.add_argument("--method", help="a name (see methods), results:, python:, exec:, gradio:")
    run.add_argument("--exec", dest="exec_", metavar="COMMAND", help="a command as the method")
    run.add_argument("--dataset", type=expanded, required=True, help=DATASET)
    run.add_argument("--protocol", default=None, help="default: the data set's main one")
    run.add_argument("--out", type=expanded_path, default=Path("results"), help=OUT)
    run.add_argument("--split", default="test", help=SPLIT)
    run.add_argument("--scene", default=None, metavar="REGEX", help=SCENE)
    _data_root(run)
    run.add_argument("--seeds", type=_from(0), nargs="+", default=[0], help=SEEDS)
    run.add_argument("--clean", action="store_true", help=CLEAN)
    run.add_argument("--limit", type=_from(1), default=None, help="only the first LIMIT pairs")
    run.add_argument("--workers", type=_from(1), default=2, help=WORKERS)
    run.add_argument("--checkpoint", type=expanded, default=None, help=CHECKPOINT)
    run.add_argument("--device", default=None, help="cpu or cuda; default: the GPU if there is one")
    run.add_argument("--name", default=None, help="of the row; default: the method's own")
    run.add_argument("--mask", default="none", choices=["none", "detected", WITH_MASK], help=MASK)
    run.add_argument("--training-data", default="unknown", help=TRAINING_DATA)
    run.add_argument("--source", default="", help="where an outside method is described")
    run.add_argument("--by", default=None, help="who ran it; default: the user's name")


def _export(export: argparse.ArgumentParser) -> None:
    export.add_argument("method", help="its name, as in the table")
    export.add_argument(
        "--format",
        choices=["model-index", "eval-results"],
        default="model-index",
        help="what to print; default: model-index",
    )
    board = "eval-results: id of a board, or its beginning; may be left out where there is one"
    export.add_argument("--board", default=None, help=board)
    export.add_argument(
        "--dataset-id", default=None, help="eval-results: Hub id of its data; default: as declared"
    )
    export.add_argument(
        "--model", default=None, help="model-index: its name on the Hub; default: METHOD"
    )
    _results(export)
