"""What a dataset says of itself: card, Croissant, report, and what the command line says."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from builds import build

from dataset_tools import ledger
from dataset_tools.card import CROISSANT, _size_category, require_licences
from dataset_tools.cli import main
from dataset_tools.croissant import KIND, SPLIT
from dataset_tools.markdown import table
from dataset_tools.rows import FIELDS
from dataset_tools.verify import verify

ODD = "CC BY 4.0 | see\nthe \\ form"


def cells(line: str) -> list[str]:
    """Of a row of a table, as Markdown reads it."""
    return [re.sub(r"\\(.)", r"\1", cell).strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_cells_end_neither_cell_nor_row():
    lines = table(("a|b", "n"), [("x | y\nz", 1), ("plain", 2)]).splitlines()
    assert lines == [r"| a\|b | n |", "|---|---|", r"| x \| y z | 1 |", "| plain | 2 |"]


def test_what_a_licence_says_breaks_no_table(tmp_path, photos, cache, capsys):
    folder, out = Path(shutil.copytree(photos, tmp_path / "photos")), tmp_path / "out"
    with (folder / "manifest.csv").open("w", newline="") as lines:
        rows = [(path.name, ODD) for path in sorted(folder.glob("*.png"))]
        csv.writer(lines).writerows([("path", "licence"), *rows])
    assert build(folder, out, "--landmark-cache", cache) == 0
    capsys.readouterr()
    assert main(["stats", str(out)]) == 0
    shown = capsys.readouterr().out
    said = " ".join(ODD.split()).replace("\\", "\\\\").replace("|", "\\|")
    card = (out / ledger.CARD).read_text()
    for page in (card, shown, (out / "report/report.md").read_text()):
        rows = [line for line in page.splitlines() if line.startswith("|")]
        (row,) = [line for line in rows if said in line]
        assert row.startswith(f"| {said} | ")
    assert "license_link" not in card
    known = [cells(line) for line in card.splitlines() if line.startswith("| `")]
    assert [name.strip("`") for name, _ in known] == list(FIELDS)


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (1_000_000, "1M<n<10M"),
        (10_000_000, "10M<n<100M"),
        (2_500_000_000, "1B<n<10B"),
        (10**12, "n>1T"),
    ],
)
def test_sizes_are_called_as_the_hub_calls_them(pairs, name):
    assert _size_category(pairs) == name


def test_croissant_says_what_the_columns_are(built):
    import pyarrow.parquet as pq

    out = built("parquet")
    described = json.loads((out / CROISSANT).read_text())
    kinds = {"int64": "sc:Integer", "double": "sc:Float", "bool": "sc:Boolean"}
    schema = pq.read_schema(next(out.glob("data/*.parquet")))
    stored = {c.name: kinds.get(str(c.type), "sc:Text") for c in schema}
    stored |= dict.fromkeys(("shadow", "clean", "mask"), "sc:ImageObject")
    (pair,) = described["recordSet"]
    fields = {field["name"]: field for field in pair["field"]}
    assert {name: field["dataType"] for name, field in fields.items()} == stored | {
        "split": "sc:Text"
    }
    assert set(KIND) < set(FIELDS)
    picture = {"extract": {"column": "mask"}, "transform": {"jsonPath": "bytes"}}
    assert fields["mask"]["source"] == {"fileSet": {"@id": "rows"}} | picture


def test_croissant_reads_every_row_of_an_image_folder_and_none_of_an_archive(built):
    out = built("imagefolder")
    described = json.loads((out / CROISSANT).read_text())
    (files,), (pair,) = described["distribution"], described["recordSet"]
    found = [path for glob in files["includes"] for path in out.glob(glob)]
    rows = [json.loads(line) for path in found for line in path.read_text().splitlines()]
    assert len(rows) == len(list(ledger.rows(out)))
    columns = {field["name"] for field in pair["field"]} - {"split"}
    assert columns == set(rows[0])
    for path in (*found, *(out / f"data/{path.parent.name}-00000-of-00001.tar" for path in found)):
        match = re.match(SPLIT, path.relative_to(out).as_posix())
        assert match is not None
        assert match[1] in path.as_posix()
    archive = built("webdataset")
    (archive / CROISSANT).write_text("of an older version")
    built("webdataset", "--seed", 1)
    assert not (archive / CROISSANT).exists()
    assert verify(archive, sample=0).problems == []


@pytest.mark.parametrize("licence", ["n/a", "All rights reserved"])
def test_pairs_whose_licence_permits_nothing_need_asking(tmp_path, photos, cache, licence, capsys):
    folder, out = Path(shutil.copytree(photos, tmp_path / "photos")), tmp_path / "out"
    names = [path.name for path in folder.glob("*.png")]
    lines = ["path,licence", *(f"{name},{licence}" for name in names)]
    (folder / "manifest.csv").write_text("\n".join(lines))
    words = ["build", folder, out, "--size", 64, "--engine", "local", "--workers", 1]
    words += ["--no-sheets", "--landmark-cache", cache]
    assert main([*map(str, words)]) == 1
    assert "can be used; the first" in capsys.readouterr().err
    assert main([*map(str, words), "--allow-unlicensed"]) == 0
    require_licences(out, allow_unlicensed=True)
    assert main(["push", str(out), str(tmp_path / "copy")]) == 1
    assert "unknown or permits nothing; give --allow-unlicensed" in capsys.readouterr().err


def test_one_person_is_a_person(tmp_path, photos, cache, capsys):
    photo, out = sorted(photos.glob("*.png"))[0], tmp_path / "out"
    for count, said in ((1, "1 pair of 1 person.\n"), (2, "2 pairs of 1 person.\n")):
        assert build(photo, out, "--landmark-cache", cache, "--pairs-per-photo", count) == 0
        capsys.readouterr()
        assert main(["stats", str(out)]) == 0
        assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize("seed", ["99999999999999999999", str(2**63), "-1"])
def test_a_seed_that_no_column_holds_is_refused_at_once(tmp_path, seed, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["build", str(tmp_path), str(tmp_path / "out"), "--seed", seed])
    assert caught.value.code == 2
    assert f"--seed: {seed} is too" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "build", "pack", "push", "preview", "verify"])
def test_help_says_what_every_option_does(command, capsys):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    text = capsys.readouterr().out
    assert "``" not in text
    options = re.findall(r"^  (-.+?)(?:  +(\S.*))?\n( {10,}\S)?", text, re.MULTILINE)
    assert options
    assert [flag for flag, beside, below in options if not (beside or below)] == []


@pytest.mark.parametrize("layout", ["parquet", "imagefolder"])
def test_datasets_never_loads_what_a_folder_of_that_name_held_before(built, tmp_path, layout):
    """Its cache, one for all folders of a machine, knows them by their name and card alone."""
    from datasets import load_dataset

    def photos(out: Path) -> set[str]:
        loaded = load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
        return {photo for part in loaded.values() for photo in part["photo"]}

    out = built(layout)
    before = photos(out)
    gone = next(ledger.rows(out))["photo"]
    assert main(["remove", str(out), "--id", gone]) == 0
    assert photos(out) == before - {gone} == {row["photo"] for row in ledger.rows(out)}
    assert not verify(out, sample=0).problems
