"""The dataset card, the Croissant description and the licence roll-up."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from dataset_tools import croissant, ledger
from dataset_tools.curation import permits
from dataset_tools.markdown import table
from dataset_tools.rows import FIELDS
from dataset_tools.splits import SPLITS
from learnir.writing import write_atomically

CROISSANT = "croissant.json"


class LicenceError(Exception):
    """Photos without a licence where one is needed."""


def roll_up(out: Path) -> Counter[str]:
    """Pairs per licence text."""
    return Counter(row["licence"] for row in ledger.rows(out))


def require_licences(out: Path, allow_unlicensed: bool) -> None:
    """Refuse a dataset with pairs whose licence is unknown or a refusal, unless asked."""
    without = sum(n for licence, n in roll_up(out).items() if not permits(licence))
    if without and not allow_unlicensed:
        raise LicenceError(
            f"{out}: {without} pairs of a licence that is unknown or permits nothing; give "
            "--allow-unlicensed"
        )


def write_card(out: Path) -> None:
    """README.md (below its last line stays what somebody wrote there), croissant.json, then the
    manifest that covers them."""
    counts = Counter(row["split"] for row in ledger.rows(out))
    plan, licences = ledger.read_plan(out), roll_up(out)
    path = out / ledger.CARD
    own = ledger.card_parts(path)[1] if path.is_file() else b""
    write_atomically(path, _readme(plan, counts, licences, _fingerprint(out)).encode() + own)
    if described := croissant.describe(plan, licences):
        text = json.dumps(described, indent=1, ensure_ascii=False)
        write_atomically(out / CROISSANT, f"{text}\n".encode())
    else:
        (out / CROISSANT).unlink(missing_ok=True)
    ledger.write_manifest(out)


def _fingerprint(out: Path) -> str:
    """SHA-256 of the plan and of every row, which is all that pairs follow from."""
    digest = hashlib.sha256(json.dumps(ledger.read_plan(out)).encode())
    for row in ledger.rows(out):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def _data_files(plan: dict[str, Any], split: str) -> str:
    if plan["layout"] == "imagefolder":
        return f"{split}/**"
    return f"data/{split}-*.{'tar' if plan['layout'] == 'webdataset' else 'parquet'}"


def _size_category(pairs: int) -> str:
    """The Hub's name of the size: n<1K, 1K<n<10K, ... n>1T."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    place = max(0, len(str(pairs)) - 3)  # 1 from a thousand on
    if place == 0:
        return "n<1K"
    if place >= len(steps):
        return "n>1T"
    return f"{steps[place - 1]}<n<{steps[place]}"


def _front_matter(plan: dict[str, Any], counts: Counter[str], fingerprint: str) -> str:
    """The card's YAML. ``datasets`` caches what a folder of this name holds under what stands in
    "configs": without the fingerprint it would load other data, or people since removed."""
    lines = ["---", "pretty_name: FaceShadow", "license: other"]
    lines += ["license_name: per-photo"]
    lines += ["task_categories:", "- image-to-image", "tags:", "- shadow-removal", "- faces"]
    lines += ["size_categories:", f"- {_size_category(sum(counts.values()))}"]
    lines += ["configs:", "- config_name: default", f"  description: sha256:{fingerprint}"]
    lines += ["  data_files:"]
    for split in SPLITS:
        if counts[split]:
            lines += [f"  - split: {split}", f"    path: {_data_files(plan, split)}"]
    return "\n".join([*lines, "---", ""])


def _readme(
    plan: dict[str, Any], counts: Counter[str], licences: Counter[str], fingerprint: str
) -> str:
    recipe, size = plan["recipe"]["name"], plan["size"]
    splits = table(("split", "pairs"), ((s, counts[s]) for s in SPLITS if counts[s]))
    rights = table(("licence", "pairs"), licences.most_common())
    fields = table(("field", "meaning"), ((f"`{name}`", text) for name, text in FIELDS.items()))
    return f"""{_front_matter(plan, counts, fingerprint)}
# FaceShadow

Pairs of one face with and without a cast shadow, rendered from portraits: `shadow` (input),
`clean` (target) and `mask` (white = in shadow), {size} x {size} PNG.

Version {plan["version"]}, recipe `{recipe}`, seed {plan["seed"]}, {plan["pairs_per_photo"]} pairs a
photo. The shadows are synthetic: do not judge a person, or a method on real shadows, by them alone.

{splits}

Splits are disjoint by person, author and duplicate photograph.

## Licences

Each pair carries the licence of its photo; it passes on to the pair.

{rights}

To have a person removed, name the `identity` or `photo` of the row to the maintainer, who runs
`faceshadow remove --id`.

## Fields

{fields}

`MANIFEST.sha256` lists every file; `faceshadow verify` checks it and re-renders a sample.

{ledger.OWN}
"""
