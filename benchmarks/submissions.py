"""Submissions: result pictures that are scored here, or scores that are checked and labelled so.

A submission is a folder or zip with ``submission.json`` and either ``results/KEY.png`` (re-scored)
or ``scores.csv`` (author-reported). It is refused with a reason, or stored as one more run.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.bundles import CARD, RESULTS, SCORES, opened, read_card
from benchmarks.copies import refuse_copied_pictures, refuse_copied_scores
from benchmarks.datasets import DATASETS
from benchmarks.layouts import left_behind
from benchmarks.locations import RESULTS as STORED
from benchmarks.machine import environment
from benchmarks.methods import METHODS, MethodCard, MethodOptions
from benchmarks.metrics import METRICS
from benchmarks.names import BenchmarkError, as_ascii, look_up, one_alphabet
from benchmarks.pairs import Collection, is_path, manifest, manifest_hash, open_collection
from benchmarks.pictures import MOST_PIXELS, header
from benchmarks.protocols import protocol_named
from benchmarks.results import Run, move, readable_runs, store
from benchmarks.runner import RunPlan, run
from benchmarks.summary import cost_of, summarise
from benchmarks.validity import MASKS, NAME, TEXT
from benchmarks.verification import do_nothing_row

if TYPE_CHECKING:
    import pandas as pd

FINGERPRINT = {"psnr": 0.02, "ssim": 0.0005}  # how far the input row may be off: rounding only
OURS = "learnir"  # no other method's name begins with it
FIELDS = ("method", "dataset", "protocol", "split", "mask", "training_data", "source", "by")


@dataclass(frozen=True)
class Verdict:
    """What became of a submission; ``reason`` is one plain line, ``run_id`` that of the new row."""

    accepted: bool
    reason: str
    run_id: str | None = None


def submit(
    path: str | Path, folder: str | Path = STORED, data_root: str | Path | None = None
) -> Verdict:
    """Checks a submission and adds it to the results in ``folder``. Refuses, never raises."""
    try:
        with opened(Path(path)) as bundle:
            stored = _accepted(bundle, Path(folder), data_root)
    except (BenchmarkError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        return Verdict(False, _line(str(error)))
    accepted = f"accepted as {stored.facts['badge']}: {stored.id}"
    return Verdict(True, f"{accepted}; it stays as long as this folder of results", stored.id)


def _line(text: str) -> str:
    """One line that shows what it says: no control characters of a file name in a terminal."""
    plain = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return plain[:400]


def template(
    dataset: str, protocol: str, data_root: str | Path | None = None, split: str = "test"
) -> dict[str, Any]:
    """submission.json filled in as far as it can be; the keys are the names that results take.

    BenchmarkError for a data set that ``submit`` would refuse.
    """
    if dataset not in DATASETS and is_path(dataset):
        raise BenchmarkError(
            f"{dataset}: a folder of one's own takes no submissions; score results on it with "
            f"`learnir-bench run --method results:FOLDER --dataset {shlex.quote(dataset)}`"
        )
    card: dict[str, Any] = dict.fromkeys(FIELDS, "")
    card |= {"dataset": dataset, "protocol": protocol, "split": split, "mask": "none"}
    collection = _collection(card, data_root)
    return card | {
        "manifest_sha256": manifest_hash(manifest(collection)),
        "input_row": input_row(collection, protocol),
        "files": {f"{source.key}.png": "SHA-256 of the file" for source in collection.sources},
    }


def input_row(collection: Collection, protocol: str) -> dict[str, float]:
    """What doing nothing scores: the fingerprint that a submission must show."""
    row = do_nothing_row(collection, protocol)
    return {name: row[f"input_{name}"] for name in FINGERPRINT}


def _accepted(bundle: Path, folder: Path, data_root: str | Path | None) -> Run:
    card = _checked(read_card(bundle))
    _refuse_repeated(card, folder)
    if (bundle / RESULTS).is_dir():
        return _rescored(bundle, card, folder, data_root)
    if (bundle / SCORES).is_file():
        return _reported(bundle, card, folder)
    raise BenchmarkError(f"neither {RESULTS}/ nor {SCORES}; submit pictures or scores")


def _checked(card: dict[str, Any]) -> dict[str, Any]:
    """The card, every field of which is known to be harmless text."""
    for field in FIELDS:
        value = card.get(field)
        if not isinstance(value, str) or not value.strip():
            raise BenchmarkError(f"{CARD}: {field} is missing")
        allowed = NAME if field in ("method", "by") else TEXT
        if not allowed.fullmatch(value):
            raise BenchmarkError(f"{CARD}: {field} holds characters that are not allowed")
    if not (card["method"].isascii() and _looks(card["method"])):  # others have look-alikes
        raise BenchmarkError(f"{CARD}: method is written in the letters a to z, and digits")
    if not one_alphabet(card["by"]):
        raise BenchmarkError(f"{CARD}: by mixes the letters of two alphabets")
    if _looks(OURS) in _looks(as_ascii(card["by"])):
        raise BenchmarkError(f"{CARD}: by is who made the results, which this project did not")
    if card["mask"] not in MASKS:
        raise BenchmarkError(f"{CARD}: mask is one of {', '.join(MASKS)}")
    look_up("data set", card["dataset"], DATASETS)
    protocol_named(card["protocol"])
    shown = card.get("input_row")
    if not isinstance(shown, dict) or not all(
        isinstance(shown.get(k), int | float) and abs(shown[k]) < 1e6 for k in FINGERPRINT
    ):
        raise BenchmarkError(f"{CARD}: input_row needs psnr and ssim of the untouched inputs")
    return card


def _refuse_repeated(card: dict[str, Any], folder: Path) -> None:
    """Nobody takes the name of another method, and no row is replaced by a later submission."""
    name = _looks(card["method"])
    if name.startswith(_looks(OURS)) or name in map(_looks, METHODS):
        raise BenchmarkError(f"{card['method']}: that name is a method of this repository")
    for stored in readable_runs(folder)[0]:
        if _looks(stored.facts["method"]["name"]) != name:
            continue
        if stored.facts["provenance"]["by"] != card["by"]:
            raise BenchmarkError(f"{card['method']}: that name is another submitter's; choose one")
        if _same_board(stored, card):
            raise BenchmarkError(
                f"{card['method']}: has a row here already ({stored.id}); name the new version"
            )


def _looks(name: str) -> str:
    """What a reader tells names apart by: letters and digits, l, I and 1 being one, O and 0 too."""
    letters = re.sub(r"[\W_]", "", name.casefold())
    return letters.translate(str.maketrans("i1o", "ll0"))


def _same_files(stored: Run, card: dict[str, Any]) -> bool:
    return bool(stored.facts["dataset"]["manifest_sha256"] == card.get("manifest_sha256"))


def _same_board(stored: Run, card: dict[str, Any]) -> bool:
    return _same_files(stored, card) and stored.facts["protocol"]["id"] == card["protocol"]


def _on_board(card: dict[str, Any], folder: Path) -> list[Run]:
    return [stored for stored in readable_runs(folder)[0] if _same_board(stored, card)]


def _collection(card: dict[str, Any], data_root: str | Path | None) -> Collection:
    return open_collection(card["dataset"], data_root, card["split"])


def _rescored(
    bundle: Path, card: dict[str, Any], folder: Path, data_root: str | Path | None
) -> Run:
    """Scores the pictures here; the author's own numbers are not read at all."""
    collection = _collection(card, data_root)
    if card.get("manifest_sha256") != manifest_hash(manifest(collection)):
        raise BenchmarkError(
            "manifest_sha256: other test files than those here; take the ones that "
            "`learnir-bench verify` accepts"
        )
    shown = {name: float(card["input_row"][name]) for name in FINGERPRINT}
    _check_fingerprint(shown, input_row(collection, card["protocol"]))
    _check_pictures(bundle / RESULTS, card, {source.key for source in collection.sources})
    on_files = [stored for stored in readable_runs(folder)[0] if _same_files(stored, card)]
    refuse_copied_pictures(bundle / RESULTS, collection, on_files)
    options = MethodOptions(**{k: card[k] for k in ("mask", "training_data", "source")})
    options = replace(options, name=card["method"])
    with TemporaryDirectory(prefix="scored-") as apart:  # what is refused leaves no file behind
        plan = RunPlan(
            method=f"results:{bundle / RESULTS}",
            dataset=card["dataset"],
            out=Path(apart),
            protocol=card["protocol"],
            split=card["split"],
            root=None if data_root is None else str(data_root),
            options=options,
            by=card["by"],
            command=_command(card),
        )
        scored = run(plan)
        refuse_copied_scores(scored.rows(), _on_board(card, folder))
        _refuse_repeated(card, folder)  # again: scoring takes minutes
        return move(scored, folder)


def _command(card: dict[str, Any]) -> str:
    """The command that scores a submission's pictures again, for those who have them."""
    words = ["learnir-bench", "run", "--method", "results:PICTURES"]
    for option in ("dataset", "protocol", "split", "mask", "training_data", "source"):
        words += [f"--{option.replace('_', '-')}", card[option]]
    return shlex.join([*words, "--name", card["method"], "--out", "results"])


def _check_fingerprint(shown: dict[str, float], wanted: dict[str, float]) -> None:
    for name, tolerance in FINGERPRINT.items():
        if not abs(shown[name] - wanted[name]) <= tolerance:
            raise BenchmarkError(
                f"input_row: {name} is {shown[name]:.4f}, here {wanted[name]:.4f}; resized or "
                "re-encoded inputs, or another protocol"
            )


def _check_pictures(results: Path, card: dict[str, Any], keys: set[str]) -> None:
    """Names, hashes, kinds and sizes, all from headers: no pixel is decoded yet."""
    files = {p.relative_to(results): p for p in results.rglob("*") if p.is_file()}
    found = {name.as_posix(): path for name, path in files.items() if not left_behind(name)}
    wanted = {f"{key}.png" for key in keys}
    if missing := sorted(wanted - set(found)):
        many = f"{len(missing)} results missing, such as" if missing[1:] else "1 result missing:"
        raise BenchmarkError(f"{many} {missing[0][:80]}")
    if extra := sorted(set(found) - wanted):
        raise BenchmarkError(f"{extra[0][:80]}: not a result of this data set")
    if not isinstance(listed := card.get("files"), dict):
        raise BenchmarkError(f"{CARD}: files is missing")
    for name, path in found.items():
        data = path.read_bytes()
        if listed.get(name) != hashlib.sha256(data).hexdigest():
            raise BenchmarkError(f"{name[:80]}: its SHA-256 is not the one in {CARD}")
        kind, width, height = header(data, name[:80])
        if width * height > MOST_PIXELS:
            raise BenchmarkError(f"{name[:80]}: {width}x{height}, larger than any test picture")
        if kind != "PNG":
            raise BenchmarkError(f"{name[:80]}: {kind}; save results as PNG, which loses nothing")


def _reported(bundle: Path, card: dict[str, Any], folder: Path) -> Run:
    """Per-picture scores of the author, held against a run of ours on the same files."""
    ours = _ours(card, folder)
    rows = _read_scores(bundle / SCORES, ours.rows())
    shown = {name: float(card["input_row"][name]) for name in FINGERPRINT}
    _check_fingerprint(shown, ours.facts["input_row"])
    refuse_copied_scores(rows, _on_board(card, folder))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    method = MethodCard(
        card["method"], card["mask"], card["training_data"], card["source"], runs="before"
    ).to_json()
    cost = dict.fromkeys(("parameters", "macs", "macs_size"))
    facts = {
        "badge": "author-reported",
        "method": method,
        "dataset": ours.facts["dataset"],
        "protocol": ours.facts["protocol"],
        "missing": {},
        "seeds": [0],
        "environment": {k: v for k, v in environment("cpu").items() if k == "packages"},
        "provenance": {"by": card["by"], "at": at, "commit": "", "command": "", "plan": ""},
        "scores": summarise(rows),
        "input_row": ours.facts["input_row"],
        "cost": {**cost, **cost_of(rows)},
    }
    return store(folder, facts, rows)


def _ours(card: dict[str, Any], folder: Path) -> Run:
    claimed = card["dataset"], card["split"]
    for stored in readable_runs(folder)[0]:
        dataset = stored.facts["dataset"]
        ours = stored.facts["badge"] == "re-scored" and _same_board(stored, card)
        if ours and (dataset["name"], dataset["split"]) == claimed:
            return stored
    raise BenchmarkError("no run of ours on these files, split and protocol to hold it against")


def _read_scores(path: Path, ours: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    try:
        rows = pd.read_csv(path, dtype=str, nrows=len(ours) + 1, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise BenchmarkError(f"{SCORES}: not a table ({str(error)[:100]})") from error
    metrics = [c for c in rows if c in METRICS]
    unknown = sorted(set(rows) - set(metrics) - {"name"})
    if "name" not in rows or "psnr" not in metrics or "ssim" not in metrics or unknown:
        raise BenchmarkError(f"{SCORES}: columns are name, psnr, ssim and other known metrics")
    scenes = ours.drop_duplicates("name").set_index("name")["scene"]
    if sorted(rows["name"]) != sorted(scenes.index):
        raise BenchmarkError(f"{SCORES}: one row for each of the {len(scenes)} pictures, by key")
    for metric in metrics:
        numbers = pd.to_numeric(rows[metric], errors="coerce").astype(float)
        for name, text, number in zip(rows["name"], rows[metric], numbers, strict=True):
            if not METRICS[metric].accepts(number):
                raise BenchmarkError(f"{SCORES}: {metric} of {name[:60]} is {text}, not a score")
        rows[metric] = numbers
    for name, psnr, ssim in zip(rows["name"], rows["psnr"], rows["ssim"], strict=True):
        if psnr == float("inf") and ssim < 1:
            raise BenchmarkError(f"{SCORES}: {name[:60]} has no error (PSNR), yet SSIM {ssim:g}")
    return rows.assign(
        scene=rows["name"].map(scenes), seed=0, seconds=float("nan"), result_sha256=""
    )
