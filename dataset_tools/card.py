"""The dataset card, the Croissant description and the licence roll-up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from dataset_tools import ledger
from dataset_tools.rows import FIELDS
from dataset_tools.splits import SPLITS
from learnir.writing import write_atomically

PERMISSIVE = ("cc0", "public domain", "cc by 4.0", "cc-by-4.0", "apache", "mit")
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "recordSet": "cr:recordSet",
    "field": "cr:field",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "source": "cr:source",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "extract": "cr:extract",
    "column": "cr:column",
    "jsonPath": "cr:jsonPath",
    "fileProperty": "cr:fileProperty",
}


class LicenceError(Exception):
    """Photos without a licence where one is needed."""


def roll_up(out: Path) -> Counter[str]:
    """Pairs per licence text."""
    return Counter(row["licence"] for row in ledger.rows(out))


def require_licences(out: Path, allow_unlicensed: bool) -> None:
    """Refuse a dataset with pairs of unknown licence unless asked."""
    unknown = roll_up(out).get("unknown", 0)
    if unknown and not allow_unlicensed:
        raise LicenceError(f"{out}: {unknown} pairs of unknown licence; give --allow-unlicensed")


def write_card(out: Path) -> None:
    """README.md, croissant.json, then the manifest that covers them."""
    counts = Counter(row["split"] for row in ledger.rows(out))
    plan, licences = ledger.read_plan(out), roll_up(out)
    write_atomically(out / "README.md", _readme(plan, counts, licences).encode())
    croissant = json.dumps(_croissant(plan, licences), indent=1, ensure_ascii=False)
    write_atomically(out / "croissant.json", (croissant + "\n").encode())
    ledger.write_manifest(out)


def _data_files(plan: dict[str, Any], split: str) -> str:
    if plan["layout"] == "imagefolder":
        return f"{split}/**"
    return f"data/{split}-*.{'tar' if plan['layout'] == 'webdataset' else 'parquet'}"


def _size_category(pairs: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if pairs < limit:
            return name
    return "100K<n<1M" if pairs < 1_000_000 else "n>1M"


def _front_matter(plan: dict[str, Any], counts: Counter[str]) -> str:
    lines = ["---", "pretty_name: FaceShadow", "license: other"]
    lines += ["license_name: per-photo", "license_link: '#licences'"]
    lines += ["task_categories:", "- image-to-image", "tags:", "- shadow-removal", "- faces"]
    lines += ["size_categories:", f"- {_size_category(sum(counts.values()))}"]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for split in SPLITS:
        if counts[split]:
            lines += [f"  - split: {split}", f"    path: {_data_files(plan, split)}"]
    return "\n".join([*lines, "---", ""])


def _readme(plan: dict[str, Any], counts: Counter[str], licences: Counter[str]) -> str:
    recipe, size = plan["recipe"]["name"], plan["size"]
    splits = "\n".join(f"| {s} | {counts[s]} |" for s in SPLITS if counts[s])
    rights = "\n".join(f"| {text} | {n} |" for text, n in licences.most_common())
    fields = "\n".join(f"| `{name}` | {text} |" for name, text in FIELDS.items())
    return f"""{_front_matter(plan, counts)}
# FaceShadow

Pairs of one face with and without a cast shadow, rendered from portraits: `shadow` (input),
`clean` (target) and `mask` (white = in shadow), {size} x {size} PNG.

Version {plan["version"]}, recipe `{recipe}`, seed {plan["seed"]}, {plan["pairs_per_photo"]} pairs a
photo. The shadows are synthetic: do not judge a person, or a method on real shadows, by them alone.

| split | pairs |
|---|---|
{splits}

Splits are disjoint by person, author and duplicate photograph.

## Licences

Each pair carries the licence of its photo; it passes on to the pair.

| licence | pairs |
|---|---|
{rights}

To have a person removed, name the `identity` or `photo` of the row to the maintainer, who runs
`faceshadow remove --id`.

## Fields

| field | meaning |
|---|---|
{fields}

`MANIFEST.sha256` lists every file; `faceshadow verify` checks it and re-renders a sample.
"""


def _croissant(plan: dict[str, Any], licences: Counter[str]) -> dict[str, Any]:
    """Croissant 1.0: the files of each split and the fields of a row."""
    kinds = {"webdataset": "application/x-tar", "parquet": "application/x-parquet"}
    fileset = {
        "@type": "cr:FileSet",
        "@id": "pairs",
        "name": "pairs",
        "encodingFormat": kinds.get(plan["layout"], "image/png"),
        "includes": [_data_files(plan, split) for split in SPLITS],
    }
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "FaceShadow",
        "description": "Pairs of one face with and without a cast shadow.",
        "version": plan["version"],
        "license": sorted(licences),
        "distribution": [fileset],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "pair", "field": _fields(plan)}],
    }


def _fields(plan: dict[str, Any]) -> list[dict[str, Any]]:
    pictures = {name: "sc:ImageObject" for name in ("shadow", "clean", "mask")}
    kinds = pictures | dict.fromkeys(FIELDS, "sc:Text")
    return [
        {
            "@type": "cr:Field",
            "@id": f"pair/{name}",
            "name": name,
            "description": FIELDS.get(name, f"the {name} picture"),
            "dataType": kind,
            "source": {"fileSet": {"@id": "pairs"}, "extract": {"column": name}},
        }
        for name, kind in kinds.items()
    ]
