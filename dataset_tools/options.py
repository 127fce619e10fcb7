"""The options of every ``faceshadow`` command; importing this loads nothing heavy."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from learnir.paths import expanded, expanded_path

DESCRIPTION = "Build and look after data sets of shadowed and clean faces."
DATASET = "folder that build wrote, or a copy of it"


def parser() -> argparse.ArgumentParser:
    """The command line, read."""
    top = argparse.ArgumentParser(prog="faceshadow", description=DESCRIPTION)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _build(commands.add_parser("build", help="make shadowed / clean pairs from portraits"))
    packed = "an archive from which a GPU draws new pairs at every step"
    _pack(commands.add_parser("pack", help=packed))
    verify = commands.add_parser("verify", help="check hashes, splits and a re-rendered sample")
    verify.add_argument("dataset", type=Path, help=DATASET)
    verify.add_argument(
        "--sample", type=_from(0), default=12, help="pairs to render again (default %(default)s)"
    )
    verify.add_argument(
        "--photos", type=expanded, nargs="*", default=None, help="where the photos are now"
    )
    remove = commands.add_parser(
        "remove",
        help="purge a person or photo from every shard",
        description="Purge a person or photo: pairs, rows, landmarks, lines of the report, where "
        "the photos were. removed.txt keeps hashes of names and files, so that no later build "
        "brings them back. Delete photos, published copies and packed archives yourself.",
    )
    remove.add_argument("dataset", type=Path, help=DATASET)
    remove.add_argument("--id", required=True, help="identity, photo or pair id")
    push = commands.add_parser("push", help="publish to the Hub, or to a folder")
    push.add_argument("dataset", type=Path, help=DATASET)
    push.add_argument("where", help="owner/name on the Hub, or a folder (/..., ./...)")
    push.add_argument(
        "--allow-unlicensed",
        action="store_true",
        help="also pairs whose licence does not permit it",
    )
    push.add_argument("--public", action="store_true", help="a public Hub repository")
    stats = commands.add_parser("stats", help="counts and histograms, as Markdown")
    stats.add_argument("dataset", type=Path, help=DATASET)
    preview = commands.add_parser("preview", help="contact sheet of random pairs")
    preview.add_argument("dataset", type=Path, help=DATASET)
    preview.add_argument(
        "-o",
        "--out",
        type=expanded_path,
        default=Path("preview.png"),
        help="picture to write (default %(default)s)",
    )
    preview.add_argument(
        "--count", type=_from(1), default=48, help="pairs on the sheet (default %(default)s)"
    )
    preview.add_argument(
        "--seed", type=_from(0), default=0, help="which pairs are drawn (default %(default)s)"
    )
    return top


def _from(least: int, kind: type = int, most: float = math.inf) -> Callable[[str], Any]:
    """Reads a finite number of ``least`` to ``most``, whole unless ``kind`` is float."""

    def number(text: str) -> Any:
        value = kind(text)
        if not value < math.inf:  # nor is nan
            raise ValueError(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small; give {least} or more")
        if value > most:
            raise argparse.ArgumentTypeError(f"{value} is too large; give at most {most}")
        return value

    number.__name__ = "number"  # argparse: invalid number value: 'x'
    return number


def _archive(text: str) -> Path:
    """A path that training takes for an archive, not for a folder of pairs."""
    if Path(text).suffix != ".npz":
        raise argparse.ArgumentTypeError(f"{text} does not end with .npz; give NAME.npz")
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; give another name")
    return Path(text)


def _build(build: argparse.ArgumentParser) -> None:
    build.add_argument("photos", nargs="+", help="folders, globs, manifest.csv, hub:owner/name")
    build.add_argument("out", type=Path, help="folder to write, or to finish")
    build.add_argument(
        "--pairs-per-photo",
        type=_from(1),
        default=1,
        metavar="N",
        help="pairs made of each photo, each with its own light (default %(default)s)",
    )
    build.add_argument(
        "--format",
        choices=["parquet", "imagefolder", "webdataset"],
        default="parquet",
        help="how the pairs are stored (default %(default)s)",
    )
    build.add_argument("--no-sheets", action="store_true", help="no contact sheets in report/")
    recipes = "faceshadow, sunlit, broad, zhang2020 or self (default %(default)s)"
    build.add_argument("--recipe", default="faceshadow", help=recipes)
    _photo_options(build)


def _pack(pack: argparse.ArgumentParser) -> None:
    pack.add_argument("photos", nargs="+", help="folders, globs, manifest.csv, hub:owner/name")
    pack.add_argument(
        "out",
        type=_archive,
        help="archive to write, NAME.npz; NAME.state beside it keeps landmarks for the next one",
    )
    pack.add_argument(
        "--frames",
        type=_from(1),
        default=1,
        help="crops of each photo, each relit anew (default %(default)s)",
    )
    pack.add_argument(
        "--shadows",
        type=_from(1),
        nargs="+",
        default=[8],
        metavar="N",
        help="shadows in each crop: of every recipe, or a number for each (default 8)",
    )
    pack.add_argument(
        "--recipe",
        nargs="+",
        default=["faceshadow"],
        metavar="NAME",
        help="one or several (default faceshadow)",
    )
    pack.add_argument(
        "--pairs",
        type=expanded,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of pairs to add as they are",
    )
    pack.add_argument(
        "--uneven",
        action="store_true",
        help="also take photos left out only for their light (cheek_asym_L of the manifest, or "
        "perhaps shadowed), and keep that light",
    )
    pack.add_argument(
        "--splits",
        type=expanded_path,
        default=None,
        help="keep the splits of this data set; people it removed stay out",
    )
    _photo_options(pack)


def _photo_options(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "--size",
        type=_from(16),
        default=256,
        help="side of the pictures, pixels (default %(default)s)",
    )
    build.add_argument(
        "--seed",
        type=_from(0, most=2**63 - 1),
        default=0,
        help="of everything drawn: the same seed makes the same bytes (default %(default)s)",
    )
    build.add_argument(
        "--licence",
        default="",
        help="for photos whose source states none; photos without a licence are dropped",
    )
    build.add_argument(
        "--allow-unlicensed",
        action="store_true",
        help="keep photos without a licence, or with one that permits nothing",
    )
    build.add_argument(
        "--keep-review", action="store_true", help="keep photos that may be shadowed"
    )
    build.add_argument(
        "--min-iris-px",
        type=_from(0, float),
        default=30.0,
        help="smallest distance of the irises, pixels of the photo (default %(default)g)",
    )
    build.add_argument(
        "--engine",
        choices=["daft", "ray", "local"],
        default="daft",
        help="what runs the work: Daft on all cores, a Ray cluster, or plain processes "
        "(default %(default)s)",
    )
    build.add_argument("--address", default="", help="of the Ray cluster; empty starts one here")
    build.add_argument("--workers", type=_from(0), default=0, help="processes; 0 = all cores")
    build.add_argument(
        "--landmarker",
        type=expanded,
        default="",
        help="face_landmarker.task; default: bundled",
    )
    build.add_argument(
        "--landmark-cache",
        type=expanded_path,
        default=None,
        help="folder that builds may share; default: inside the data set",
    )
