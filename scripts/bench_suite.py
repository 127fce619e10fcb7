"""Every method on every data set at hand, then the tables of docs/benchmarks.md: ``make bench``.

    python scripts/bench_suite.py [--data-root DIR] [--faceshadow DIR] [--only DATASET] [--tables]

Runs that are stored already are not made again, an interrupted one goes on; a finished one replaces
this project's former row of the same command. Data sets that are not here are named and left out.
Every run has a process of its own: what another left in memory is not charged to it. --tables only
writes the page anew from the stored results, which is done for the repository's own results only.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from fill_page import fill, markdown
from tqdm import tqdm

from benchmarks.comparison import NOT_DISTINGUISHABLE, compare_runs
from benchmarks.export import as_markdown
from benchmarks.leaderboard import METRICS_SHOWN, boards, runs_of, table
from benchmarks.leaderboard import Board as LeaderboardBoard
from benchmarks.locations import RESULTS
from benchmarks.names import BenchmarkError
from benchmarks.pairs import open_collection
from benchmarks.protocols import PROTOCOLS
from benchmarks.published import published
from benchmarks.results import Run, readable_runs
from benchmarks.runner import RunPlan, run
from benchmarks.statistics import LEVEL, holm
from benchmarks.summary import summarise
from benchmarks.timing_days import footnote, marks

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
REGIONS: tuple[str, ...] = (
    "psnr_shadow",
    "psnr_shadow_legacy",
    "psnr_lit",
    "ssim_shadow",
    "lab_mae_shadow",
    "lab_mae_lit",
)
REGIONS += ("psnr_face", "landmark_shift")
OURS = ("learnir", "learnir-no-dpsc", "learnir-no-drm", "learnir-neither", "learnir-once")
SHADOW = ("input", "retinex", "region-transfer", *OURS)
COMPARED = ("psnr", "ssim", "lpips_alex")
VERDICTS = {"a is better": "better", "b is better": "worse"}
FRAMED_ALIKE = {"IMG_6378": "IMG_6366", "_MG_6165": "_MG_6147_1"}
"""Test pairs of SRD, each with the training pair that shows the same view in another shadow."""
OVERLAPPING = {"IMG_5454": "IMG_5455", "IMG_5682": "IMG_5685", "IMG_6222": "IMG_6228"}
"""Others, whose training pair shows the same spot, the camera a little moved."""
SEEN = {**FRAMED_ALIKE, **OVERLAPPING}
HAZE = ("input", "dark-channel", "learnir", "learnir-no-dpsc", "learnir-no-drm", "learnir-neither")


@dataclass(frozen=True)
class Board:
    """What is run on one data set. limit: the first so many pairs, for time's sake."""

    dataset: str
    protocol: str
    methods: tuple[str, ...]
    split: str = "test"
    clean: bool = False
    limit: int | None = None
    seeds: tuple[int, ...] = (0,)


SUITE = (
    Board("ucb", "native-v1", SHADOW, seeds=(0, 1, 2)),
    Board("ucb", "native-v1", ("learnir",), clean=True),
    Board("faceshadow", "native-v1", SHADOW, limit=128),
    Board("faceshadow", "native-v1", ("learnir",), clean=True, limit=64),
    Board("srd", "matlab-256-v2", SHADOW),
    Board("istd", "matlab-256-v2", (*SHADOW, "region-transfer-gt-mask")),
    Board("i-haze", "native-v1", HAZE),
    Board("nh-haze", "native-v1", HAZE),
    Board("dense-haze", "native-v1", HAZE),
    Board("o-haze", "512-v1", HAZE, split="all"),
)


def run_board(board: Board, root: str | None, faceshadow: str | None, out: Path) -> None:
    """Every method of a board, one line each; what cannot be run is named."""
    dataset = faceshadow if board.dataset == "faceshadow" and faceshadow else board.dataset
    root = None if dataset == faceshadow else root
    try:
        open_collection(dataset, root, board.split, board.clean)
    except BenchmarkError as error:  # once, not for every method
        say(f"left out: {error}")
        return
    for method in board.methods:
        plan = RunPlan(
            method,
            dataset,
            out,
            board.protocol,
            board.split,
            root,
            seeds=board.seeds,
            clean=board.clean,
            limit=board.limit,
            command=command(board, method),
            by="LearnIR project",
        )
        apart(plan, f"{board.dataset:<11}{method:<24}")


def apart(plan: RunPlan, title: str) -> None:
    """``run_method`` in a process of its own; SystemExit where that fails unexpectedly."""
    process = get_context("spawn").Process(target=run_method, args=(plan, title))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{title.strip()}: failed, see above")


def run_method(plan: RunPlan, title: str) -> None:
    """One row, and the line that says so; why there is none where it cannot be made."""
    try:
        with tqdm(unit="picture", desc=title, leave=False, delay=1) as bar:
            stored = run(plan, partial(_progress, bar), say)
    except BenchmarkError as error:
        say(f"left out: {error}")
        return
    replace_former(stored, plan.out)
    print(f"{title}{stored.mean('psnr'):.2f} dB", flush=True)


def say(line: str) -> None:
    """A line beside the table of scores."""
    print(line, file=sys.stderr, flush=True)


def replace_former(stored: Run, results: Path) -> None:
    """Removes this project's rows that the same command made with former weights."""
    origin = stored.facts["provenance"]
    for former in readable_runs(results)[0]:
        made = former.facts["provenance"]
        if former.id != stored.id and all(made[key] == origin[key] for key in ("by", "command")):
            for path in (former.path, former.path.with_suffix(".parquet")):
                path.unlink()


def _progress(bar: tqdm, done: int, total: int, psnr: float) -> None:
    bar.total = total
    bar.update(done - bar.n)


def command(board: Board, method: str) -> str:
    """The command that makes this row, which also identifies it."""
    words = f"learnir-bench run --method {method} --dataset {board.dataset}"
    words += f" --protocol {board.protocol}"
    words += f" --split {board.split}" if board.split != "test" else ""
    words += " --clean" if board.clean else ""
    words += f" --limit {board.limit}" if board.limit else ""
    return f"{words} --seeds {' '.join(map(str, board.seeds))} --out results"


def write_page(results: Path) -> None:
    """The tables of docs/benchmarks.md from the stored results."""
    found = boards(results)
    parts = [f"### {board.label}\n\n{as_markdown(board, results, shown(board))}" for board in found]
    fill(PAGE, "boards", "\n\n".join(parts))
    synthetic = [board for board in found if board.dataset == "faceshadow"]
    fill(PAGE, "regions", "\n\n".join(as_markdown(b, results, REGIONS) for b in synthetic[:1]))
    real = [board for board in found if board.dataset == "ucb"]
    streets = [board for board in found if board.dataset == "srd"]
    fill(PAGE, "seen_scenes", "\n\n".join(seen_scenes(board, results) for board in streets[:1]))
    fill(PAGE, "people", "\n".join(people(b, results) for b in [*synthetic[:1], *real[:1]]))
    fill(PAGE, "cost", "\n\n".join(costs(board, results) for board in real[:1]))
    compared = comparisons([*synthetic[:1], *real[:1]], results)
    fill(PAGE, "comparisons", comparison_table(compared))
    fill(PAGE, "verdicts", verdicts(compared))
    rows = published()
    counted = rows.groupby("dataset").agg(size=("method", "size"), flagged=("note", _flagged))
    counts: list[list[object]] = [["data set", "published rows", "with a red flag"]]
    counts += [[name, row["size"], row["flagged"]] for name, row in counted.iterrows()]
    fill(PAGE, "published", f"{markdown(counts)}\n\n{faces_published(rows)}")


def shown(board: LeaderboardBoard) -> tuple[str, ...]:
    """The columns of a board; beside the true scores what the protocol's own script prints."""
    metrics = PROTOCOLS[board.protocol].metrics
    return tuple(dict.fromkeys((*METRICS_SHOWN, *(m for m in metrics if m.endswith("_legacy")))))


def seen_scenes(board: LeaderboardBoard, results: Path) -> str:
    """Every method with and without the test pairs whose scene stands in the training pairs too."""
    parts = {"all": (), "without the two": FRAMED_ALIKE, "without the five": SEEN}
    metrics = {"psnr": "PSNR, dB", "lab_mae": "lab_mae"}
    head = [f"{name}, {part}" for name in metrics.values() for part in parts]
    rows: list[list[object]] = [["method", *head]]
    for stored in runs_of(board, results):
        scores = stored.rows()
        kept = [summarise(scores[~scores["name"].isin(left_out)]) for left_out in parts.values()]
        cells = [_bracketed(part[metric]) for metric in metrics for part in kept]
        rows.append([stored.facts["method"]["name"], *cells])
    return markdown(rows)


def _bracketed(score: dict[str, Any]) -> str:
    return f"{score['mean']:.2f} [{score['low']:.2f}, {score['high']:.2f}]"


def people(board: LeaderboardBoard, results: Path) -> str:
    """How many people the pairs of a board show."""
    scenes = runs_of(board, results)[0].rows()["scene"].nunique()
    return f"* {board.title}: {board.pairs} pairs of {scenes} people."


def costs(board: LeaderboardBoard, results: Path) -> str:
    """What a method costs on a board, and how far its seeds lie apart."""
    head = ["method", "seconds", "million parameters", "billion MACs", "peak memory, GiB"]
    rows: list[list[object]] = [[*head, "seeds", "their spread, dB"]]
    found = table(board, results)
    for row, mark in zip(found.to_dict("records"), marks(found), strict=True):
        scaled = [(row["parameters"], 1e6), (row["macs"], 1e9), (row["peak_memory"], 2**30)]
        shown = ["" if pd.isna(value) else f"{value / by:.2f}" for value, by in scaled]
        spread = f"{row['seed_std']:.3f}" if row["seeds"] > 1 else ""
        seconds = f"{row['seconds']:.3f}{mark}"
        rows.append([row["method"], seconds, *shown, row["seeds"], spread])
    return "\n\n".join(filter(None, (markdown(rows), footnote(found))))


def comparisons(found: list[LeaderboardBoard], results: Path) -> pd.DataFrame:
    """LearnIR less each of its ablations, a row a board, method and metric (``compare_runs``).

    Of so many tests at 5 % some succeed by chance: p is adjusted for all of them, verdicts follow.
    """
    rows = []
    for board in found:
        ids = {run.facts["method"]["name"]: run.id for run in runs_of(board, results)}
        for other in (name for name in OURS[1:] if name in ids and OURS[0] in ids):
            pairs = compare_runs(ids[OURS[0]], ids[other], results).set_index("metric")
            about = {"board": board.dataset, "against": other}
            rows += [about | {"metric": m} | pairs.loc[m].to_dict() for m in COMPARED]
    compared = pd.DataFrame(rows)
    p = holm(compared["p"].to_numpy())
    return compared.assign(
        p=p, verdict=compared["verdict"].where(p < 1 - LEVEL, NOT_DISTINGUISHABLE)
    )


def comparison_table(compared: pd.DataFrame) -> str:
    """Markdown: every comparison with its interval."""
    head = ["board", "against", "metric", "difference", "p, Holm"]
    rows = [_compared(row) for row in compared.to_dict("records")]
    return markdown([[*head, "pictures better : worse", "verdict"], *rows])


def _compared(row: dict[str, Any]) -> list[str]:
    low, high = (f"{row[name]:+.{_digits(row)}f}" for name in ("low", "high"))
    pictures = f"{row['a_better']} : {row['b_better']}"
    difference = f"{_difference(row)} [{low}, {high}]"
    return [
        *(row[name] for name in ("board", "against", "metric")),
        *(difference, f"{row['p']:.2g}", pictures, VERDICTS.get(row["verdict"], row["verdict"])),
    ]


def verdicts(compared: pd.DataFrame) -> str:
    """A line for each ablation: what of it can be told from the full model, and on which board."""
    lines = []
    for other, rows in compared.groupby("against", sort=False):
        parts = [_verdict(str(name), part) for name, part in rows.groupby("board", sort=False)]
        lines.append(f"* Against **{other}**: {'; '.join(parts)}.")
    return "\n".join(lines)


def _verdict(board: str, rows: pd.DataFrame) -> str:
    cells_by_word = {
        word: [
            f"{row['metric']} {_difference(row)}"
            for row in rows.to_dict("records")
            if row["verdict"] == verdict
        ]
        for verdict, word in VERDICTS.items()
    }
    parts = [f"{word} in {', '.join(cells)}" for word, cells in cells_by_word.items() if cells]
    return f"on {board} {' and '.join(parts) or 'nothing can be told apart'}"


def _difference(row: dict[str, Any]) -> str:
    return f"{row['difference']:+.{_digits(row)}f}"


def _digits(row: dict[str, Any]) -> int:
    return 2 if row["metric"] == "psnr" else 4


def faces_published(rows: pd.DataFrame) -> str:
    """The published rows on facial shadows, as printed."""
    shown = ["dataset", "method", "year", "psnr", "ssim", "lpips", "confidence", "note"]
    faces = rows[rows["dataset"].str.startswith("FaceShadow")].sort_values("dataset", kind="stable")
    cells = [["" if pd.isna(value) else value for value in row] for row in faces[shown].to_numpy()]
    return markdown([[name.replace("dataset", "data set") for name in shown], *cells])


def _flagged(notes) -> int:  # type: ignore[no-untyped-def]
    return int((notes != "").sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--faceshadow", default=None, help="a built FaceShadow with a test split")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--only", default=None, help="one data set")
    parser.add_argument("--methods", nargs="+", default=None, help="only these")
    parser.add_argument("--tables", action="store_true", help="run nothing")
    options = parser.parse_args()
    for board in () if options.tables else SUITE:
        if options.only in (None, board.dataset):
            wanted = options.methods or board.methods
            chosen = replace(board, methods=tuple(m for m in board.methods if m in wanted))
            run_board(chosen, options.data_root, options.faceshadow, options.results)
    if options.results == RESULTS:
        write_page(RESULTS)


if __name__ == "__main__":
    main()
