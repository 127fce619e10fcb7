"""Everything that the pages say of the shipped weights, measured anew where it is of former ones.

    python scripts/measure.py --data-root DIR --faceshadow DIR [--only NAME ...] [--list]

Run it after ``scripts/ship_weights.py``, on a machine that does nothing else. One measurement after
the other, each a script of its own whose command is shown; one whose result is of the shipped
weights already is not made again, so a stopped run goes on where it was. A measurement that fails,
or whose data are not here, is named, leaves its former result, and the others go on. At last every
page is filled anew (``make figures``).
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_suite import OURS, SUITE, command
from result_files import is_stale, parts_of, read_result, shipped_hash, weights_of

from benchmarks.locations import RESULTS
from benchmarks.results import readable_runs

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "ucb": "ucb_dev",
    "srd_test": "srd_dev",
    "srd_train": "srd_train_half",
    "ihaze": "ihaze",
    "root": "",
}
"""Folders below --data-root, by the names that the commands give them."""


@dataclass(frozen=True)
class Measurement:
    """command: script and arguments. result: the JSON that it writes. minutes: on two cores."""

    name: str
    minutes: float
    command: str
    result: str

    def words(self, places: dict[str, str]) -> list[str]:
        """The command's words; KeyError names the folder that is not here."""
        return [word.format_map(places) for word in shlex.split(self.command)]

    def stale(self) -> bool:
        """Whether the result is missing or of other weights."""
        if self.result == BOARDS:
            return boards_stale()
        path = ROOT / self.result
        if not path.exists():
            return True
        found = read_result(path)
        return is_stale(found) or any("weights" not in part for part in parts_of(found))


BOARDS = "benchmarks/results"


def _about(name: str, minutes: float, command: str, *, options: str = "-o") -> Measurement:
    """A measurement whose result is docs/results/NAME.json."""
    result = f"docs/results/{name}.json"
    return Measurement(name, minutes, f"{command} {options} {result}".strip(), result)


MEASUREMENTS = (
    Measurement(
        "scores",
        1.5,
        "score_weights.py learnir/weights --faceshadow {faceshadow} --ucb {ucb} "
        "-o learnir/weights/scores.json",
        "learnir/weights/scores.json",
    ),
    Measurement(
        "boards", 12, "bench_suite.py --data-root {root} --faceshadow {faceshadow}", BOARDS
    ),
    _about("skin_tones", 0.1, "skin_tones.py {faceshadow}"),
    _about("left_alone", 3, "left_alone.py {faceshadow} {root} learnir/weights"),
    _about("left_alone_grey", 3, "left_alone.py {faceshadow} {root} learnir/weights --grey"),
    _about("worn_things", 3, "worn_things.py {faceshadow} learnir/weights"),
    _about(
        "odd_pictures", 9, "odd_pictures.py learnir/weights --faceshadow {faceshadow} --ucb {ucb}"
    ),
    _about("groups", 2, "group_scores.py {ucb} {faceshadow} --behind {srd_test}"),
    _about("framings", 8, "framing_scores.py {faceshadow} {root}"),
    _about("drm", 1, "bench_drm.py"),
    _about("network", 0.5, "bench_network.py"),
    _about("restore", 2, "bench_restore.py"),
    _about("folder", 3, "bench_folder.py"),
    _about("onnx", 1, "bench_onnx.py"),
    _about("video", 2, "bench_video.py"),
    _about("load", 2, "load_test.py"),
    Measurement(
        "adaptation",
        18,
        "adaptation.py --data {srd_train} --test {srd_test} --other {ucb} --iterations 250",
        "docs/results/adaptation.json",
    ),
    Measurement(
        "adaptation_haze",
        5,
        "adaptation.py --data {srd_train} --test {srd_test} --haze {ihaze} --pairs 8 --seeds 0 "
        "--iterations 250",
        "docs/results/adaptation_haze.json",
    ),
)


def boards_stale() -> bool:
    """Whether a row that the suite makes is missing, or one of LearnIR is of former weights."""
    stored = readable_runs(RESULTS)[0]
    made = {run.facts["provenance"].get("command") for run in stored}
    ours = [weights_of(run) for run in stored if run.facts["method"]["name"] in OURS]
    wanted = {command(board, method) for board in SUITE for method in board.methods}
    return not wanted <= made or any(weights != shipped_hash() for weights in ours)


def places_at(root: Path | None, faceshadow: Path | None) -> dict[str, str]:
    """The folders that are here, by the names that the commands give them."""
    given = {} if root is None else {name: root / below for name, below in PLACES.items()}
    given |= {} if faceshadow is None else {"faceshadow": faceshadow}
    return {name: str(path.resolve()) for name, path in given.items() if path.is_dir()}


def run(wanted: Sequence[Measurement], places: dict[str, str]) -> list[str]:
    """Makes the measurements; returns a line for each that could not be made."""
    problems = []
    for number, each in enumerate(wanted, 1):
        left = sum(m.minutes for m in wanted[number - 1 :])
        print(f"[{number}/{len(wanted)}] {each.name}: about {left:.0f} minutes left", flush=True)
        try:
            script, *arguments = each.words(places)
        except KeyError as missing:
            problems.append(f"{each.name}: left out, {missing.args[0]} is not here")
            continue
        began = time.perf_counter()
        command = [sys.executable, f"scripts/{script}", *arguments]
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode:
            problems.append(f"{each.name}: failed, {shlex.join(command)}")
        print(f"{each.name}: {(time.perf_counter() - began) / 60:.1f} minutes", flush=True)
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--data-root", type=Path, help=f"holds {', '.join(filter(None, PLACES.values()))}"
    )
    parser.add_argument("--faceshadow", type=Path, help="a build with a test split")
    names = [m.name for m in MEASUREMENTS]
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="NAME", help="these, stale or not"
    )
    parser.add_argument("--list", action="store_true", help="say what is stale, measure nothing")
    options = parser.parse_args()
    if options.list:
        for each in MEASUREMENTS:
            print(f"{'stale  ' if each.stale() else 'current'} {each.name:<16}{each.command}")
        return
    wanted = [m for m in MEASUREMENTS if (m.name in options.only if options.only else m.stale())]
    problems = run(wanted, places_at(options.data_root, options.faceshadow))
    for line in problems:  # before the pages: what was measured for hours must not be told last
        print(line, file=sys.stderr, flush=True)
    for script in (["bench_suite.py", "--tables"], ["make_figures.py"]):
        subprocess.run([sys.executable, f"scripts/{script[0]}", *script[1:]], cwd=ROOT, check=True)
    if problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
