"""Takes the weights of a finished training into learnir/weights.

    python scripts/ship_weights.py runs/cpu/last --data "..." --trained-on "..." --build "..." \\
        --command "..." [--from-shipped] [--after RUN ...] [--mirror]

Copies weights and config, and writes training.json with what the record must say to others: the
command as they would type it, the data in words, its hash, seed, steps and versions; of the runs
before it the configurations.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from learnir.checkpoint import CONFIG, SHIPPED, TRAINING, WEIGHTS, load_checkpoint
from learnir.writing import write_json

LIMIT = 16 * 2**20


def _run(folder: Path) -> dict[str, Any]:
    """How an earlier run was configured and how far it went."""
    record = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    kept = ("config", "pairs", "scenes", "step")  # pairs from folders, scenes from archives
    return {key: record[key] for key in kept if key in record}


def _shipped_runs() -> list[dict[str, Any]]:
    """The runs that led to the weights shipped until now, and the one that made them."""
    record = json.loads((SHIPPED / TRAINING).read_text(encoding="utf-8"))
    return [*record.get("earlier_runs", []), _run(SHIPPED)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder with model.safetensors and training.json")
    parser.add_argument("--data", required=True, help="the training data in words")
    parser.add_argument("--trained-on", required=True, help="the same in a few, for leaderboards")
    parser.add_argument("--build", required=True, help="the command that builds the data")
    parser.add_argument("--command", required=True, help="the training command")
    parser.add_argument(
        "--after", type=Path, nargs="*", default=[], help="runs that led to it, first to last"
    )
    parser.add_argument(
        "--from-shipped", action="store_true", help="the first of them began from shipped weights"
    )
    parser.add_argument("--mirror", action="store_true", help="sample with mirror images too")
    options = parser.parse_args()
    size = (options.run / WEIGHTS).stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{options.run / WEIGHTS}: {size} bytes; at most {LIMIT} may be shipped")
    record = json.loads((options.run / TRAINING).read_text(encoding="utf-8"))
    record.pop("validation", None)  # scores.json has the scores, on pairs chosen for it
    record |= {"command": options.command, "data": options.data, "data_command": options.build}
    record["trained_on"] = options.trained_on
    record["earlier_runs"] = _shipped_runs() if options.from_shipped else []
    record["earlier_runs"] += [_run(folder) for folder in options.after]
    SHIPPED.mkdir(exist_ok=True)
    shutil.copy2(options.run / WEIGHTS, SHIPPED / WEIGHTS)
    config = json.loads((options.run / CONFIG).read_text(encoding="utf-8"))
    write_json(SHIPPED / CONFIG, config | {"mirror": options.mirror})
    write_json(SHIPPED / TRAINING, record)
    parameters = sum(p.numel() for p in load_checkpoint(SHIPPED).parameters())
    print(f"{SHIPPED}: {parameters / 1e6:.2f} M parameters, {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
