"""The average of two checkpoints, for weights that were trained on from each other.

    python scripts/average_weights.py runs/last runs/earlier --share 0.25 --out runs/mixed

``--share`` is the second one's. It may be of a smaller network, which is grown as it was when the
first one's training began with it. Config and training record are the first one's.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

from learnir.checkpoint import TRAINING, CheckpointError, load_checkpoint, save_checkpoint
from learnir.training.warm_start import take_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = load_checkpoint(options.first)
    other = copy.deepcopy(model)
    try:
        take_weights(other, load_checkpoint(options.second))
    except CheckpointError:
        raise SystemExit(
            f"{options.second}: another network than that of {options.first}"
        ) from None
    ours, theirs = model.state_dict(), other.state_dict()
    model.load_state_dict(
        {k: (1 - options.share) * v + options.share * theirs[k] for k, v in ours.items()}
    )
    record = json.loads((options.first / TRAINING).read_text(encoding="utf-8"))
    save_checkpoint(options.out, model, record)


if __name__ == "__main__":
    main()
