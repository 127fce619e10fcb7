"""The leaderboard: runs of one data set, one set of files and one protocol, ranked by main score.

Nothing is ranked across boards. Rows that were scored here come first, whatever an author reports.
Of a method's runs on a board the newest counts; the older ones stay in the folder. Rows that the
best one does not beat for certain share its place ("tied"). A file that is no result is passed
over: ``results.checked_runs`` names it and every changed one.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.datasets import DATASETS, OWN
from benchmarks.locations import RESULTS
from benchmarks.metrics import METRICS
from benchmarks.names import BenchmarkError, look_up_prefix
from benchmarks.results import Run, load_runs, readable_runs
from benchmarks.statistics import FEWEST_SCENES
from benchmarks.summary import capped

if TYPE_CHECKING:
    import pandas as pd

METRICS_SHOWN = ("psnr", "ssim", "lpips_alex", "lab_mae", "lab_rmse")


TASKS = ("face shadow", "shadow", "haze", "any")  # what the project is for comes first


@dataclass(frozen=True)
class Board:
    """The runs that are ranked together: one set of files under one protocol.

    Attributes:
        manifest: SHA-256 of the test files.
        pairs: how many were scored.
        expected: how many the whole split has; None where an older result does not say.
        reduced: whether the copy's pictures are smaller than the release's.
        clean, scenes: see ``Run``.
    """

    id: str
    dataset: str
    title: str
    task: str
    split: str
    protocol: str
    manifest: str
    pairs: int
    expected: int | None
    main_score: str
    reduced: bool = False
    clean: bool = False
    scenes: str | None = None

    @property
    def label(self) -> str:
        """What a chooser shows."""
        alone = ", every picture counted as a scene of its own" if self.scenes == "" else ""
        return f"{self.scored}, ranked by {self.main_score}{alone}"

    @property
    def scored(self) -> str:
        """Which pictures were scored, and how."""
        part = "" if self.expected in (None, self.pairs) else f" of {self.expected}"
        copy = ", a reduced copy" if self.reduced else ""
        return f"{self.title}, {self.pairs}{part} pairs{copy}, {self.protocol}"


def boards(folder: str | Path = RESULTS) -> list[Board]:
    """Every board that has a run: by task, shadow-free inputs last, in the order of declaration."""
    found = {board.id: board for board in map(_board, readable_runs(Path(folder))[0])}
    order = list(DATASETS)

    def place(board: Board) -> tuple[int, bool, int, str]:
        name = board.dataset.removesuffix("-clean")
        at = order.index(name) if name in order and board.scenes is None else len(order)
        return (TASKS.index(board.task), board.clean, at, board.id)

    return sorted(found.values(), key=place)


def board_named(name: str, folder: str | Path = RESULTS) -> Board:
    """A board by its id, or by the beginning of one that only one has."""
    return look_up_prefix("board", name, {board.id: board for board in boards(folder)})


def _board(run: Run) -> Board:
    dataset, protocol = run.facts["dataset"], run.facts["protocol"]["id"]
    own = run.scenes is not None  # whatever data set has the same name
    entry = None if own else DATASETS.get(run.data)
    title = f"{run.data} ({OWN})" if own else dataset["title"]
    files = dataset["manifest_sha256"][:8]
    return Board(
        id=f"{dataset['name']}.{dataset['split']}.{protocol}.{files}{_suffix(run.scenes)}",
        dataset=dataset["name"],
        title=title + (", shadow-free inputs" if run.clean else ""),
        task=entry.task if entry else "any",
        split=dataset["split"],
        protocol=protocol,
        manifest=dataset["manifest_sha256"],
        pairs=dataset["pairs"],
        expected=dataset["expected"],
        main_score=entry.main_score if entry else "psnr",
        reduced=bool(dataset.get("reduced")),
        clean=run.clean,
        scenes=run.scenes,
    )


def _suffix(scenes: str | None) -> str:
    """End of a board's id: files in a folder, or grouped by scenes, are boards of their own."""
    if scenes is None:
        return ""
    return f".scenes-{hashlib.sha256(scenes.encode()).hexdigest()[:6]}" if scenes else ".own"


def runs_of(board: Board, folder: str | Path = RESULTS) -> list[Run]:
    """The newest run of every method on a board, best main score first.

    Scores that an author reported stand below all that were made here.
    """
    newest: dict[tuple[str, str], Run] = {}
    for run in sorted(readable_runs(Path(folder))[0], key=lambda r: r.facts["provenance"]["at"]):
        if _board(run).id == board.id:
            newest[run.facts["method"]["name"], run.facts["badge"]] = run
    sign = -1 if METRICS[board.main_score].direction == "higher" else 1
    worst = float("inf")

    def place(run: Run) -> tuple[bool, float]:
        mean = run.mean(board.main_score)
        reported = run.facts["badge"] != "re-scored"
        return reported, worst if mean is None else sign * mean

    return sorted(newest.values(), key=place)


def table(
    board: Board, folder: str | Path = RESULTS, metrics: tuple[str, ...] | None = None
) -> pd.DataFrame:
    """One row per method, best first; of METRICS_SHOWN and the main score where none are named.

    Columns: rank, tied, method, badge, mask, training_data, each metric with METRIC_low and
    METRIC_high (95 %, clustered by scene; None below six scenes, whose intervals hold the mean too
    rarely), then cost, seeds and the main score's spread over them, who and when, and the run's id.
    """
    import pandas as pd

    runs = runs_of(board, folder)
    ties = _ties(runs, board.main_score)
    metrics = metrics or tuple(dict.fromkeys((*METRICS_SHOWN, board.main_score)))
    rows = []
    for place, (run, tied) in enumerate(zip(runs, ties, strict=True), start=1):
        rows.append({"rank": place, "tied": tied, **_row(run, metrics, board)})
    return pd.DataFrame(rows)


def _ties(runs: list[Run], metric: str) -> list[bool]:
    """Whether each run cannot be told from the best (``Comparison.certain``)."""
    from benchmarks.statistics import compare

    ties = []
    for run in runs:
        if run is runs[0] or run.mean(metric) is None:
            ties.append(run is runs[0])
            continue
        try:
            found = compare(capped(runs[0].rows()), capped(run.rows()), metric)
            ties.append(not found.certain)
        except (KeyError, TypeError, ValueError, OSError):  # rows that cannot be read prove nothing
            ties.append(True)
    return ties


def _row(run: Run, metrics: tuple[str, ...], board: Board) -> dict[str, Any]:
    method, cost, origin = run.facts["method"], run.facts["cost"], run.facts["provenance"]
    row: dict[str, Any] = {
        "method": method["name"],
        "badge": run.facts["badge"],
        "mask": method["mask"],
        "training_data": method.get("training_data", "unknown"),
    }
    for name in metrics:
        score = run.facts["scores"].get(name) or {}
        enough = score.get("scenes", 0) >= FEWEST_SCENES
        row |= {
            name: score.get("mean"),
            f"{name}_low": score.get("low") if enough else None,
            f"{name}_high": score.get("high") if enough else None,
        }
    main = run.facts["scores"].get(board.main_score) or {}
    return row | {
        "seconds": cost.get("seconds_median"),
        "parameters": cost.get("parameters"),
        "macs": cost.get("macs"),
        "peak_memory": cost.get("peak_memory_bytes"),
        "hardware": run.facts["environment"].get("hardware"),
        "seeds": len(run.facts["seeds"]),
        "seed_std": main.get("seed_std"),
        "pairs": run.facts["dataset"]["pairs"],
        "by": origin["by"],
        "date": origin["at"][:10],
        "run": run.id,
    }


def find_run(run_id: str, folder: str | Path = RESULTS) -> Run:
    """A run by its id, or by the beginning of one that only one has; its facts are the JSON."""
    found = {run.id: run for run in readable_runs(Path(folder))[0]}
    if not any(id_.startswith(run_id) for id_ in found):
        load_runs(Path(folder))  # what cannot be read may be the one asked for: that is said
    return look_up_prefix("run", run_id, found)


def per_picture(run_id: str, folder: str | Path = RESULTS) -> pd.DataFrame:
    """One row per picture and seed: name, scene, seed and every metric."""
    return find_run(run_id, folder).rows()


def reproduce(run: Run) -> str:
    """The command that makes this row again, to be run in the repository.

    A sentence where there is none, as only their author can make reported scores again.
    """
    origin, dataset = run.facts["provenance"], run.facts["dataset"]
    if run.facts["badge"] == "author-reported":
        return f"No command: these are scores that {origin['by']} reported, without the pictures."
    if origin.get("command"):
        return str(origin["command"])
    words = ["learnir-bench", "run", "--method", run.facts["method"]["name"]]
    words += ["--dataset", run.data, "--protocol", run.facts["protocol"]["id"]]
    words += ["--split", dataset["split"]]
    whole = dataset["expected"] in (None, dataset["pairs"])
    words += [] if whole else ["--limit", str(dataset["pairs"])]
    words += ["--clean"] if run.clean else []
    words += ["--seeds", *map(str, run.facts["seeds"]), "--out", "results"]
    return shlex.join(words)


def perception_distortion(found: pd.DataFrame) -> pd.DataFrame:
    """method, psnr, lpips, badge of a ``table``'s rows that have both: distortion, perception."""
    shown = found.rename(columns={"lpips_alex": "lpips"})
    return shown[["method", "psnr", "lpips", "badge"]].dropna(subset=["psnr", "lpips"])


def quality_time(board: Board, found: pd.DataFrame) -> pd.DataFrame:
    """method, seconds a picture, quality (the board's main score), metric, size, hardware.

    Of the rows of the board's ``table`` that have both.
    """
    found = found.assign(quality=found[board.main_score], metric=board.main_score)
    columns = ["method", "seconds", "quality", "metric", "parameters", "hardware"]
    return found[columns].dropna(subset=["seconds", "quality"])


def one_board(boards_found: list[Board], what: str) -> Board:
    """The only board of a list; BenchmarkError names the choice when there are several."""
    if len(boards_found) == 1:
        return boards_found[0]
    names = ", ".join(board.id for board in boards_found) or "none"
    raise BenchmarkError(f"{what}: choose one board of: {names}")
