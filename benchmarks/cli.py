"""The ``learnir-bench`` command: score methods under fixed protocols, and rank what was scored."""

from __future__ import annotations

import argparse
import json
import math
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.arguments import parser
from benchmarks.names import MethodError
from learnir.console import outcome

if TYPE_CHECKING:
    from benchmarks.runner import RunPlan


def _datasets(options: argparse.Namespace) -> int:
    from benchmarks.datasets import DATASETS
    from benchmarks.locations import data_root
    from benchmarks.pairs import find_folder

    root = data_root(options.data_root)
    for entry in DATASETS.values():
        here = find_folder(entry, root) if root else None
        counts = ", ".join(f"{n} {split}" for split, n in entry.counts) or "as built"
        print(f"{entry.name:<12}{entry.title}: {counts}; {entry.main_protocol}; {entry.licence}")
        print(f"{'':<12}{here or 'not here: ' + entry.where}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    if options.results is not None:
        return _verify_results(options.results)
    from benchmarks.datasets import DATASETS
    from benchmarks.locations import data_root
    from benchmarks.pairs import find_folder
    from benchmarks.verification import verify

    root = data_root(options.data_root)
    absent = [e for e in DATASETS.values() if root is None or find_folder(e, root) is None]
    names = options.names or [n for n, e in DATASETS.items() if e not in absent]
    reports = [verify(name, options.data_root, options.scores) for name in names]
    for report in reports:
        print(f"{report.name}: {report.summary}")
        print("".join(f"{report.name}: note: {note}\n" for note in report.notes), end="")
        wrong = (f"{report.name}: {problem}\n" for problem in report.problems)
        print("".join(wrong), end="", file=sys.stderr)
    for entry in () if options.names else absent:
        print(f"{entry.name}: not here; get it: {entry.where}")
    return 1 if any(report.problems for report in reports) else 0


def _verify_results(folder: Path) -> int:
    from benchmarks.results import check_not_empty, checked_runs

    runs, wrong = checked_runs(folder)
    check_not_empty(folder, [*runs, *wrong])
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    print(f"{len(runs)} results, {len(wrong)} problems")
    return 1 if wrong else 0


def _protocols(options: argparse.Namespace) -> int:
    from benchmarks.protocols import PROTOCOLS

    for protocol in PROTOCOLS.values():
        size = "native size" if protocol.size is None else "{}x{}".format(*protocol.size)
        print(f"{protocol.id:<15}{size}, {protocol.kernel or 'not resized'}, {protocol.dtype}")
        print(f"{'':<15}{protocol.order}; {protocol.averaging}")
    return 0


def _methods(options: argparse.Namespace) -> int:
    from benchmarks.methods import METHODS, SCHEMES

    print("\n".join(METHODS))
    print("\n".join(f"{scheme:<10}{text}" for scheme, text in SCHEMES.items()))
    return 0


def _plan(options: argparse.Namespace) -> RunPlan:
    from benchmarks.methods import MethodOptions
    from benchmarks.names import BenchmarkError
    from benchmarks.rerun import command_of
    from benchmarks.runner import RunPlan

    if (options.method is None) == (options.exec_ is None):
        raise BenchmarkError("run: give either --method or --exec")
    return RunPlan(
        method=options.method or f"exec:{options.exec_}",
        dataset=options.dataset,
        out=options.out,
        protocol=options.protocol,
        split=options.split,
        root=options.data_root,
        seeds=tuple(options.seeds),
        clean=options.clean,
        limit=options.limit,
        workers=options.workers,
        scene=options.scene,
        command=command_of(options),
        by=options.by,
        options=MethodOptions(
            checkpoint=options.checkpoint,
            device=options.device,
            mask=options.mask,
            training_data=options.training_data,
            name=options.name,
            source=options.source,
        ),
    )


def _run(options: argparse.Namespace) -> int:
    import pandas  # noqa: F401 - needed when all is scored: better missed now
    from tqdm import tqdm

    from benchmarks.runner import run

    plan = _plan(options)
    title = f"{plan.method[:24]} on {Path(plan.dataset).name}"
    with tqdm(unit="picture", desc=title, delay=0.01) as bar:  # nothing shown before it starts

        def progress(done: int, total: int, psnr: float) -> None:
            bar.total = total
            bar.set_postfix_str("" if math.isnan(psnr) else f"PSNR {psnr:.2f}", refresh=False)
            bar.update(done - bar.n)

        stored = run(plan, progress, lambda line: print(line, file=sys.stderr))
    pairs = stored.facts["dataset"]["pairs"]
    for name, score in stored.facts["scores"].items():
        part = f"  ({count} of {pairs} pictures)" if (count := score["pictures"]) < pairs else ""
        print(f"{name:<32}{score['mean']:.4f}{part}")
    for name, reason in stored.facts["missing"].items():
        print(f"{name:<32}missing: {reason}", file=sys.stderr)
    print(stored.path)
    return 0


def _table(options: argparse.Namespace) -> int:
    from benchmarks.export import FORMATS
    from benchmarks.leaderboard import METRICS_SHOWN, board_named, boards
    from benchmarks.metrics import METRICS, POOLED
    from benchmarks.names import look_up
    from benchmarks.results import checked_runs

    known = METRICS | POOLED
    metrics = [look_up("metric", m, known).name for m in options.metrics or METRICS_SHOWN]
    for line in checked_runs(options.results)[1]:
        print(f"learnir-bench: {line}", file=sys.stderr)
    chosen = (
        [board_named(options.board, options.results)] if options.board else boards(options.results)
    )
    if not chosen:
        print(f"{options.results}: no results yet; learnir-bench run --help", file=sys.stderr)
        return 1
    as_asked = FORMATS[options.format]
    print("\n\n".join(as_asked(board, options.results, metrics) for board in chosen))
    return 0


def _plot(options: argparse.Namespace) -> int:
    from benchmarks.leaderboard import board_named
    from benchmarks.plots import plot

    board = board_named(options.board, options.results)
    print(plot(board, options.kind, options.out, options.results))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from benchmarks.comparison import compare_runs

    found = compare_runs(options.a, options.b, options.results)
    print(found.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    return 0


def _submit(options: argparse.Namespace) -> int:
    from benchmarks.submissions import submit

    verdict = submit(options.path, options.results, options.data_root)
    print(verdict.reason, file=sys.stdout if verdict.accepted else sys.stderr)
    return 0 if verdict.accepted else 1


def _template(options: argparse.Namespace) -> int:
    from benchmarks.submissions import template

    asked = options.dataset, options.protocol, options.data_root, options.split
    print(json.dumps(template(*asked), indent=1))
    return 0


def _run_export(options: argparse.Namespace) -> int:
    import yaml

    from benchmarks.export import eval_results, model_index
    from benchmarks.leaderboard import board_named, boards, one_board

    found = boards(options.results)
    if options.format == "model-index":
        name = options.model or options.method
        index = model_index(name, options.method, found, options.results)
        made: object = {"model-index": index}
    else:
        board = (
            board_named(options.board, options.results)
            if options.board
            else one_board(found, "export --board")
        )
        made = eval_results(board, options.method, options.dataset_id, options.results)
    print(yaml.safe_dump(made, sort_keys=False, allow_unicode=True), end="")
    return 0


def _published(options: argparse.Namespace) -> int:
    from benchmarks.published import published

    print(published(options.dataset).to_csv(index=False), end="")
    return 0


def _push(options: argparse.Namespace) -> int:
    from benchmarks.mirror import push

    print(push(options.results, options.where, private=not options.public))
    return 0


def _weights(options: argparse.Namespace) -> int:
    from benchmarks.names import BenchmarkError
    from benchmarks.perceptual import MetricUnavailable, fetch

    for net in options.nets or ["alex"]:
        try:
            print(fetch(net))
        except MetricUnavailable as error:
            raise BenchmarkError(str(error)) from error
    return 0


RUNNERS = {
    "datasets": _datasets,
    "verify": _verify,
    "protocols": _protocols,
    "methods": _methods,
    "run": _run,
    "table": _table,
    "plot": _plot,
    "compare": _compare,
    "submit": _submit,
    "template": _template,
    "export": _run_export,
    "published": _published,
    "push": _push,
    "weights": _weights,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 with one line on stderr when it could not."""
    options = parser().parse_args(arguments)

    def work() -> int:
        try:
            return RUNNERS[options.command](options)
        except MethodError as error:
            traceback.print_exception(error.__cause__)
            raise

    return outcome("learnir-bench", work, lambda: (ValueError, OSError), "bench")


if __name__ == "__main__":
    raise SystemExit(main())
