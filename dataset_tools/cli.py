"""The ``faceshadow`` command: what each of its commands runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_tools.options import parser
from learnir.console import outcome

if TYPE_CHECKING:
    from dataset_tools.build import BuildPlan
    from dataset_tools.shards import PairPlan


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
    from dataset_tools.left_out import left_out

    for line in left_out(places):
        print(line, file=sys.stderr)


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
    from dataset_tools.adoption import adopt
    from dataset_tools.pack import PackPlan, pack_build
    from dataset_tools.recipe import RecipeError, recipe_named
    from dataset_tools.shards import PairPlan

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
    from dataset_tools import removals
    from dataset_tools.remove import remove

    count = remove(options.dataset, options.id)
    print(
        f"{count} pair{'s' * (count != 1)} removed; {options.dataset / removals.FILE} keeps hashes "
        "of names and files, so that no later build brings them back"
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
    """Failures that the user can remedy: one line, no traceback."""
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
    options = parser().parse_args(arguments)
    code = outcome("faceshadow", lambda: RUNNERS[options.command](options), _expected, "data")
    if code and arguments is None and "daft" in sys.modules:
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process at once: while Daft has jobs under way its threads abort an interpreter that
    shuts down in order, and the exit code would be SIGABRT's."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    raise SystemExit(main())
