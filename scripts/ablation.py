"""What each part of the method brings, at equal training steps and three seeds (paper Table 3).

    python scripts/ablation.py train --data FACESHADOW [...] [--out runs/ablation] [--jobs 2]
    python scripts/ablation.py score --faceshadow FACESHADOW [--ucb DIR] [--out runs/ablation]
    python scripts/ablation.py page

``train`` makes every variant from scratch; finished ones are left alone and interrupted ones go on.
``score`` writes a row per picture to docs/results/ablation.parquet; ``page`` fills
docs/ablation.md from it. The network is a small one (width 16), so that 36 trainings fit
into little more than an hour on two cores: read the differences, not the levels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnir.config import ModelConfig
from learnir.training.presets import CORRECTOR_STAGE, STEP_WEIGHTS, Stage, TrainConfig

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.pairs import Pair
    from benchmarks.scoring import Judge
    from learnir.pipeline import LearnIR

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "docs" / "results" / "ablation.parquet"
SEEDS = (0, 1, 2)
SIZE = 128  # pixels, in training and in the test
PAIRS = 4_000  # to train on

BASE = TrainConfig(
    model=ModelConfig(network="naf", network_args={"width": 16}),
    stages=(
        Stage(
            iterations=1_600,
            size=SIZE,
            batch=8,
            lr=1e-3,
            rollout=0.75,
            rollout_from=400,
            clean=0.12,
        ),
    ),
    step_weights=(0.3, 0.2, 0.2, 0.15, 0.15),
    gradient_weight=0.5,
    warmup=100,
    ema=0.995,
    precision="bf16",
    validate_every=1_600,
    validation_pairs=16,
)


def _staged(**changes: Any) -> TrainConfig:
    return replace(BASE, stages=(replace(BASE.stages[0], **changes),))


def _with_gain(config: TrainConfig) -> TrainConfig:
    arguments = {**config.model.network_args, "gain": True}
    return replace(config, model=replace(config.model, network_args=arguments))


def _predicting(prediction: str) -> TrainConfig:
    return replace(BASE, model=replace(BASE.model, prediction=prediction))


def _corrector(**changes: Any) -> TrainConfig:
    """A correction branch beside the frozen ``full``: half as many steps again."""
    stage = replace(CORRECTOR_STAGE, iterations=800, size=SIZE, batch=8, rollout_from=0, **changes)
    model = replace(BASE.model, correction="learned", corrector={"width": 8})
    return replace(BASE, model=model, stages=(stage,), gradient_weight=0.0)


GAIN = _with_gain(BASE)
ROLLOUTS = replace(GAIN, stages=(replace(GAIN.stages[0], rollout=1.0),))
REGRESSION = replace(_staged(fixed=1.0, rollout=0.0), step_weights=(0, 0, 0, 0, 1))

TRAININGS: dict[str, TrainConfig] = {
    "full": BASE,
    "gain": GAIN,
    "gain-rollouts": ROLLOUTS,
    "gain-last": replace(ROLLOUTS, step_weights=STEP_WEIGHTS),
    "no-drm": _staged(fixed=1.0),
    "regression": REGRESSION,
    "regression-gain": _with_gain(REGRESSION),
    "no-rollouts": _staged(rollout=0.0),
    "sample": _predicting("sample"),
    "eps_res": _predicting("eps_res"),
    "learned": _corrector(rollout=0.0),
    "learned-rollouts": _corrector(rollout=0.75),
}


@dataclass(frozen=True)
class Variant:
    """A row of a table: which training it takes, and how that is sampled.

    label: what the row is called where that differs from ``name``, under which it is scored once.
    """

    name: str
    training: str = "full"
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""


def _sampled(name: str, **settings: Any) -> Variant:
    return Variant(name, "full", settings)


def _full(label: str) -> Variant:
    return Variant("full", label=label)


TABLES: dict[str, tuple[Variant, ...]] = {
    "parts": (
        Variant("full"),
        _sampled("without DPSC", correction="none"),
        Variant("without DRM", "no-drm", {"scales": "fixed"}),
        Variant("without both (Resfusion)", "no-drm", {"scales": "fixed", "correction": "none"}),
        Variant("without rollouts", "no-rollouts"),
        Variant("direct regression", "regression"),
    ),
    "beyond": (
        Variant("full"),
        Variant("full, exit with gain", "gain"),
        Variant("... and rollouts only", "gain-rollouts"),
        Variant("... and half of the batches at t = 1", "gain-last"),
        Variant("direct regression", "regression"),
        Variant("direct regression, exit with gain", "regression-gain"),
    ),
    "corrections": (
        Variant("without DPSC", settings={"correction": "none"}, label="none"),
        *(_sampled(f"paper, w = {w}", correction="paper", weight=w) for w in (0.1, 0.25, 0.5, 1.0)),
        _sampled("exact, w = 0.5", weight=0.5),
        _full("exact, w = 1"),
        Variant("learned", "learned"),
        Variant("learned on rollouts", "learned-rollouts"),
    ),
    "scales": (
        _sampled("1 1 1 1 1", scales="fixed"),
        _sampled("1 1 2 2 2", scales=(1, 1, 2, 2, 2)),
        _full("1 1 2 4 4"),
        _sampled("1 2 2 4 4", scales=(1, 2, 2, 4, 4)),
        _sampled("1 2 4 2 1 (V)", scales=(1, 2, 4, 2, 1)),
    ),
    "steps": tuple(
        _full("5") if n == 5 else _sampled(f"{n} steps", steps=n, scales="drm")
        for n in (3, 5, 8, 19)
    ),
    "predictions": (
        _full("residual"),
        Variant("sample", "sample"),
        Variant("eps_res", "eps_res"),
    ),
}


def train_one(name: str, seed: int, data: list[str], out: Path, iterations: int | None) -> None:
    """One training, resumed where it was left; a finished one returns at once."""
    import torch

    from learnir.training.command import train

    folder = out / f"{name}-{seed}"
    if _finished(folder):
        return
    torch.set_num_threads(1)
    config = replace(TRAININGS[name], seed=seed)
    if iterations is not None:
        count = iterations * config.stages[0].iterations // BASE.stages[0].iterations
        config = replace(config, stages=(replace(config.stages[0], iterations=count),))
    frozen = out / f"full-{seed}" / "last" if config.model.corrector else None
    init = None if frozen is None else str(frozen)
    train(config, data, folder, resume=True, init=init, pairs=PAIRS, device="cpu")


def train_all(options: argparse.Namespace) -> None:
    """Every training in a process of its own, a core each; the branches last."""
    from tqdm import tqdm

    def start(job: tuple[str, int]) -> None:
        words = ["one", job[0], str(job[1]), "--data", *options.data, "--out", str(options.out)]
        words += [] if options.iterations is None else ["--iterations", str(options.iterations)]
        log = options.out / f"{job[0]}-{job[1]}.log"
        with log.open("w") as file:
            subprocess.run([sys.executable, __file__, *words], stderr=file, stdout=file, check=True)

    options.out.mkdir(parents=True, exist_ok=True)
    denoisers = [n for n, config in TRAININGS.items() if config.model.corrector is None]
    branches = [n for n in TRAININGS if n not in denoisers]
    for names in (denoisers, branches):
        jobs = [(name, seed) for seed in SEEDS for name in names]
        with ThreadPoolExecutor(options.jobs) as pool:
            list(tqdm(pool.map(start, jobs), total=len(jobs), desc="trainings", unit="run"))


def restorer(variant: Variant, seed: int, out: Path) -> Any:
    """The pipeline of a variant; direct regression is asked a single time."""
    from benchmarks.learnir_methods import asked_once
    from learnir.pipeline import LearnIR

    pipeline = LearnIR.from_pretrained(out / f"{variant.training}-{seed}" / "last", "cpu")
    if variant.training.startswith("regression"):
        pipeline = LearnIR(asked_once(pipeline.model), pipeline.training)
    return pipeline


def score(options: argparse.Namespace) -> None:
    """Adds what is not in the file of rows yet, variant by variant."""
    import pandas as pd

    kept = pd.read_parquet(ROWS) if ROWS.exists() else pd.DataFrame()
    done = set(zip(kept["variant"], kept["seed"], strict=True)) if len(kept) else set()
    for rows in scored(options, done):
        kept = pd.concat([kept, pd.DataFrame(rows)], ignore_index=True)
        kept.to_parquet(ROWS, compression="zstd", index=False)


def scored(
    options: argparse.Namespace, done: set[tuple[str, int]]
) -> Iterator[list[dict[str, Any]]]:
    """The rows, one a picture, of every variant and seed that is trained and not ``done``."""
    from tqdm import tqdm

    from benchmarks.protocols import protocol_named
    from benchmarks.scoring import Judge

    judge, sets = Judge(protocol_named("native-v1")), sets_to_score(options)
    variants = {v.name: v for table in TABLES.values() for v in table}  # some stand in two tables
    waiting = [
        (v, s)
        for v in variants.values()
        for s in SEEDS
        if (v.name, s) not in done and _finished(options.out / f"{v.training}-{s}")
    ]
    for variant, seed in tqdm(waiting, unit="variant"):
        yield rows_of(variant, seed, restorer(variant, seed, options.out), sets, judge)


def sets_to_score(options: argparse.Namespace) -> dict[str, list[Pair]]:
    """The pairs to score on, by the name of their set; sets that are not given are left out."""
    from benchmarks.datasets import DATASETS
    from benchmarks.pairs import load, open_collection

    sets = {}
    for name, folder in (("FaceShadow", options.faceshadow), ("UCB dev", options.ucb)):
        if folder is not None:
            scene = DATASETS["ucb"].scene if name == "UCB dev" else None  # one person's pictures
            found = open_collection(str(folder), None, "test", scene=scene)
            sets[name] = [_small(load(found, s)) for s in found.sources[: options.limit]]
    return sets


def rows_of(
    variant: Variant, seed: int, pipeline: LearnIR, sets: dict[str, list[Pair]], judge: Judge
) -> list[dict[str, Any]]:
    """The rows of one variant and seed: every picture of every set, restored and scored."""
    from benchmarks.learnir_methods import count_macs

    once = variant.training.startswith("regression")
    macs, rows = count_macs(pipeline, {} if once else variant.settings), []
    for name, pairs in sets.items():
        results, seconds = [], []
        for pair in pairs:
            start = time.perf_counter()
            made = pipeline.restore(pair.input, seed=seed, faces=False, **variant.settings)
            results.append(made.picture)
            seconds.append(time.perf_counter() - start)
        facts = {"variant": variant.name, "seed": seed, "set": name, "macs": macs}
        for pair, scores, took in zip(pairs, judge.score(results, pairs), seconds, strict=True):
            kept = {k: scores[k] for k in ("psnr", "ssim", "lpips_alex") if k in scores}
            rows.append({**facts, "name": pair.key, "scene": pair.scene, **kept, "seconds": took})
    return rows


def _small(pair: Pair) -> Pair:
    """The pair at the size of the training."""
    from learnir.images import shrunk

    return replace(
        pair, input=shrunk(pair.input, SIZE), target=shrunk(pair.target, SIZE), mask=None
    )


def _finished(folder: Path) -> bool:
    """Whether a training is done: its weights say the last step."""
    from learnir.checkpoint import read_training

    if not (folder / "last").is_dir():
        return False
    trained = read_training(folder / "last")
    return trained["step"] == sum(s["iterations"] for s in trained["config"]["stages"])


def write_page() -> None:
    """Fills docs/ablation.md from the stored rows."""
    import pandas as pd
    from fill_page import fill, markdown

    rows = pd.read_parquet(ROWS)
    for table, variants in TABLES.items():
        own = {v.label or v.name: rows[rows["variant"] == v.name] for v in variants}
        lines = [_line(label, part, rows) for label, part in own.items() if len(part)]
        fill(ROOT / "docs" / "ablation.md", table, markdown([_head(rows), *lines]))


def _head(rows: pd.DataFrame) -> list[object]:
    columns = [[f"{name}: PSNR", "against full", "SSIM", "LPIPS"] for name in rows["set"].unique()]
    return ["", *(c for group in columns for c in group), "GMACs", "ms"]


def _line(name: str, own: pd.DataFrame, rows: pd.DataFrame) -> list[object]:
    """Means over pictures and seeds, the spread of the seeds, and the paired difference to full."""
    from benchmarks.statistics import compare, seed_spread

    line: list[object] = [name]
    for dataset in rows["set"].unique():
        part = own[own["set"] == dataset]
        full = rows[(rows["set"] == dataset) & (rows["variant"] == "full")]
        difference = compare(part, full[full["seed"].isin(part["seed"])], "psnr").difference
        spread = seed_spread(part, "psnr") or 0.0
        line.append(f"{part['psnr'].mean():.2f} ± {spread:.2f}")
        line.append(f"{difference.mean:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]")
        line += [f"{part['ssim'].mean():.4f}", f"{part['lpips_alex'].mean():.4f}"]
    return [*line, f"{own['macs'].iloc[0] / 1e9:.2f}", f"{1000 * own['seconds'].median():.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "one", "score", "page"):
        command = commands.add_parser(name)
        if name == "one":
            command.add_argument("name", choices=TRAININGS)
            command.add_argument("seed", type=int)
        if name in ("train", "one"):
            command.add_argument("--data", nargs="+", required=True)
            command.add_argument("--iterations", type=int, help="of the denoisers' training")
            command.add_argument("--jobs", type=int, default=2)
        if name == "score":
            command.add_argument("--faceshadow", type=Path)
            command.add_argument("--ucb", type=Path)
            command.add_argument("--limit", type=int, default=64, help="pictures of each set")
        command.add_argument("--out", type=Path, default=ROOT / "runs" / "ablation")
    options = parser.parse_args()
    if options.command == "train":
        train_all(options)
    elif options.command == "one":
        train_one(options.name, options.seed, options.data, options.out, options.iterations)
    elif options.command == "score":
        score(options)
    else:
        write_page()


if __name__ == "__main__":
    main()
