"""The ``faceshadow`` command: build and look after datasets of shadowed and clean faces."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnir.console import INTERRUPTED, UNREAD, unread

if TYPE_CHECKING:
    from dataset_tools.build import BuildPlan
    from dataset_tools.shards import PairPlan


def parser() -> argparse.ArgumentParser:
    """Options of every command; imports nothing heavy."""
    top = argparse.ArgumentParser(prog="faceshadow", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _build(commands.add_parser("build", help="make shadowed / clean pairs from portraits"))
    _pack(commands.add_parser("pack", help="layers of the train split, for training on a GPU"))
    verify = commands.add_parser("verify", help="check hashes, splits and a re-rendered sample")
    verify.add_argument("dataset", type=Path)
    verify.add_argument("--sample", type=_from(0), default=12, help="pairs to render again")
    verify.add_argument("--photos", nargs="*", default=None, help="where the photos are now")
    remove = commands.add_parser(
        "remove",
        help="purge a person or photo from every shard",
        description="Purge a person or photo: pairs, rows, landmarks, lines of the report, where "
        "the photos were. removed.txt keeps hashes of names and files, so that no later build "
        "brings them back. Photos, published copies and packed archives are yours to delete.",
    )
    remove.add_argument("dataset", type=Path)
    remove.add_argument("--id", required=True, help="identity, photo or pair id")
    push = commands.add_parser("push", help="publish to the Hub, or to a folder")
    push.add_argument("dataset", type=Path)
    push.add_argument("where", help="owner/name, or a folder (/..., ./...)")
    push.add_argument("--allow-unlicensed", action="store_true")
    push.add_argument("--public", action="store_true", help="a public Hub repository")
    stats = commands.add_parser("stats", help="counts and histograms, as Markdown")
    stats.add_argument("dataset", type=Path)
    preview = commands.add_parser("preview", help="contact sheet of random pairs")
    preview.add_argument("dataset", type=Path)
    preview.add_argument("-o", "--out", type=Path, default=Path("preview.png"))
    preview.add_argument("--count", type=_from(1), default=48)
    preview.add_argument("--seed", type=_from(0), default=0)
    return top


def _from(least: int, kind: type = int) -> Callable[[str], Any]:
    """Reads a finite number of ``least`` or more, whole unless ``kind`` is float."""

    def number(text: str) -> Any:
        value = kind(text)
        if not value < math.inf:  # nor is nan
            raise ValueError(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small; give {least} or more")
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
    build.add_argument("--pairs-per-photo", type=_from(1), default=1, metavar="N")
    build.add_argument(
        "--format", choices=["parquet", "imagefolder", "webdataset"], default="parquet"
    )
    build.add_argument("--no-sheets", action="store_true", help="no contact sheets in report/")
    build.add_argument("--recipe", default="faceshadow", help="faceshadow, sunlit, zhang2020, self")
    _photo_options(build)


def _pack(pack: argparse.ArgumentParser) -> None:
    pack.add_argument("photos", nargs="+", help="folders, globs, manifest.csv, hub:owner/name")
    pack.add_argument(
        "out",
        type=_archive,
        help="archive to write, NAME.npz; NAME.state beside it keeps landmarks for the next one",
    )
    pack.add_argument(
        "--frames", type=_from(1), default=1, help="crops of each photo, each relit anew"
    )
    pack.add_argument(
        "--shadows",
        type=_from(1),
        nargs="+",
        default=[8],
        metavar="N",
        help="shadows in each crop: of every recipe, or a number for each",
    )
    pack.add_argument(
        "--recipe", nargs="+", default=["faceshadow"], metavar="NAME", help="one or several"
    )
    pack.add_argument(
        "--pairs", nargs="+", default=[], metavar="DIR", help="pairs to take in as they are"
    )
    pack.add_argument(
        "--uneven",
        action="store_true",
        help="take in photos that only uneven light keeps out, under the light they have",
    )
    pack.add_argument(
        "--splits", type=Path, default=None, help="a dataset; its val and test people stay out"
    )
    _photo_options(pack)


def _photo_options(build: argparse.ArgumentParser) -> None:
    build.add_argument("--size", type=_from(16), default=256, help="side of the pictures, pixels")
    build.add_argument("--seed", type=_from(0), default=0)
    build.add_argument("--licence", default="", help="for photos whose source states none")
    build.add_argument("--allow-unlicensed", action="store_true")
    build.add_argument(
        "--keep-review", action="store_true", help="keep photos that may be shadowed"
    )
    build.add_argument(
        "--min-iris-px", type=_from(0, float), default=30.0, help="smallest iris distance"
    )
    build.add_argument("--engine", choices=["daft", "ray", "local"], default="daft")
    build.add_argument("--address", default="", help="of the Ray cluster; empty starts one here")
    build.add_argument("--workers", type=_from(0), default=0, help="processes; 0 = all cores")
    build.add_argument("--landmarker", default="", help="face_landmarker.task; default: bundled")
    build.add_argument("--landmark-cache", type=Path, default=None, help="shared between builds")


def _plan(options: argparse.Namespace, out: Path, pairs: PairPlan) -> BuildPlan:
    from dataclasses import replace

    from dataset_tools.build import BuildPlan
    from dataset_tools.curation import Thresholds
    from dataset_tools.engines import EnginePlan

    limits = Thresholds(iris_px=options.min_iris_px, allow_unlicensed=options.allow_unlicensed)
    if options.keep_review:
        limits = replace(limits, review_score=limits.reject_score)
    return BuildPlan(
        photos=tuple(options.photos),
        out=out,
        pairs=pairs,
        limits=limits,
        engine=EnginePlan(options.engine, options.workers, options.address),
        licence=options.licence,
        model=options.landmarker,
        cache=options.landmark_cache,
        sheets=not getattr(options, "no_sheets", False),
    )


def _tell_left_out(places: list[str]) -> None:
    """One line about pictures of no kind we read, one about names that are not UTF-8."""
    from dataset_tools.photos import left_out, misnamed

    found = left_out(places)
    if count := found.total():
        kinds = ", ".join(f"{suffix} {found[suffix]}" for suffix in sorted(found))
        print(
            f"{_files(count)} left out: {kinds}; convert them to JPEG, PNG or TIFF", file=sys.stderr
        )
    if names := misnamed(places):
        print(
            f"{_files(len(names))} left out, as names are not UTF-8: first {names[0]}; rename",
            file=sys.stderr,
        )


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _run_build(options: argparse.Namespace) -> int:
    from dataset_tools.build import build
    from dataset_tools.recipe import recipe_named
    from dataset_tools.shards import PairPlan

    _tell_left_out(options.photos)
    pairs = PairPlan(
        pairs_per_photo=options.pairs_per_photo,
        size=options.size,
        seed=options.seed,
        recipe=recipe_named(options.recipe),
        layout=options.format,
    )
    done = build(_plan(options, options.out, pairs))
    total = sum(done.pairs.values())
    speed = total / max(done.seconds["render"], 1e-3)
    print("photos:", ", ".join(f"{n} {status}" for status, n in sorted(done.photos.items())))
    print("pairs: ", ", ".join(f"{n} {split}" for split, n in done.pairs.items()))
    print("time:  ", ", ".join(f"{name} {s:.1f} s" for name, s in done.seconds.items()))
    print(f"{speed:.1f} pairs/s; see {options.out / 'report' / 'report.md'}")
    if empty := [split for split, count in done.pairs.items() if not count]:
        print(
            f"no pairs in {' and '.join(empty)}: whoever shares a person or an author shares a "
            "split, and few photos may leave one empty",
            file=sys.stderr,
        )
    return 0


def _run_pack(options: argparse.Namespace) -> int:
    from dataset_tools.pack import PackPlan, pack_build
    from dataset_tools.recipe import RecipeError, recipe_named
    from dataset_tools.shards import PairPlan
    from dataset_tools.splits import adopt

    recipes, shadows = tuple(map(recipe_named, options.recipe)), tuple(options.shadows)
    if len(shadows) == 1:
        shadows *= len(recipes)
    if len(shadows) != len(recipes):
        raise RecipeError(
            f"--shadows takes one number, or one for each of {len(recipes)} recipes; "
            f"got {len(shadows)}"
        )
    _tell_left_out(options.photos)
    state = options.out.with_suffix(".state")  # landmarks stay here for the next archive
    if options.splits:
        adopt(state, options.splits)
    layers = PackPlan(
        frames=options.frames,
        shadows=shadows,
        size=options.size,
        seed=options.seed,
        recipes=recipes,
        pairs=tuple(options.pairs),
        uneven=options.uneven,
    )
    held = pack_build(_plan(options, state, PairPlan()), options.out, layers)
    megabytes = options.out.stat().st_size / 1e6
    print(
        f"{options.out}: {held['scenes']} scenes, {held['uneven']} of them in uneven light, "
        f"{held['pairs']} pairs beside them, {held['val']} to validate on, {megabytes:.1f} MB"
    )
    return 0


def _run_verify(options: argparse.Namespace) -> int:
    from dataset_tools.verify import verify

    found = verify(options.dataset, options.sample, photos=options.photos)
    for problem in found.problems:
        print(problem, file=sys.stderr)
    absent = found.missing or "their photos are not here or have changed; --photos FOLDER"
    why = f" ({absent})" if found.skipped else ""
    near = f" ({found.rounded} alike but for rounding)" if found.rounded else ""
    print(
        f"{found.files} files hashed, {found.pairs} pairs rendered again{near}, "
        f"{found.skipped} skipped{why}"
    )
    return 1 if found.problems else 0


def _run_remove(options: argparse.Namespace) -> int:
    from dataset_tools.ledger import REMOVED
    from dataset_tools.remove import remove

    count = remove(options.dataset, options.id)
    print(
        f"{count} pair{'s' * (count != 1)} removed; {options.dataset / REMOVED} keeps hashes of "
        "names and files, so that no later build brings them back"
    )
    return 0


def _run_push(options: argparse.Namespace) -> int:
    from dataset_tools.publish import push

    where = push(
        options.dataset,
        options.where,
        allow_unlicensed=options.allow_unlicensed,
        private=not options.public,
    )
    print(where)
    return 0


def _run_stats(options: argparse.Namespace) -> int:
    from dataset_tools.report import statistics

    print(statistics(options.dataset).markdown())
    return 0


def _run_preview(options: argparse.Namespace) -> int:
    from dataset_tools.preview import preview

    print(
        f"{preview(options.dataset, options.out, options.count, options.seed)} pairs", options.out
    )
    return 0


RUNNERS = {
    "build": _run_build,
    "pack": _run_pack,
    "verify": _run_verify,
    "remove": _run_remove,
    "push": _run_push,
    "stats": _run_stats,
    "preview": _run_preview,
}


def _expected() -> tuple[type[Exception], ...]:
    """Failures that are the user's to mend: one line, no traceback."""
    from dataset_tools.card import LicenceError
    from dataset_tools.engines import EngineError
    from dataset_tools.landmarks import LandmarkError
    from dataset_tools.ledger import DatasetError
    from dataset_tools.photos import PhotoError
    from dataset_tools.publish import PublishError
    from dataset_tools.recipe import RecipeError
    from learnir.images import ImageError
    from learnir.training.data import PairError

    named = (LicenceError, EngineError, LandmarkError, DatasetError, PhotoError, PublishError)
    return (*named, RecipeError, PairError, ImageError, OSError)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 with one line on stderr when it could not."""
    code = _outcome(parser().parse_args(arguments))
    if code and arguments is None:
        _leave(code)
    return code


def _outcome(options: argparse.Namespace) -> int:
    try:
        code = RUNNERS[options.command](options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("faceshadow: stopped; run the same command to go on", file=sys.stderr)
        return INTERRUPTED
    except ModuleNotFoundError as error:
        print(f"faceshadow: {error}; run: pip install 'learnir[data]'", file=sys.stderr)
        return 1
    except _expected() as error:
        if unread(error):
            return UNREAD
        print(f"faceshadow: {error}", file=sys.stderr)
        return 1


def _leave(code: int) -> None:
    """End the process at once: while Daft has jobs under way its threads abort an interpreter that
    shuts down in order, and the exit code would be SIGABRT's."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    raise SystemExit(main())
