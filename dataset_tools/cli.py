"""The ``faceshadow`` command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="faceshadow", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make shadowed / clean pairs from portraits")
    build.add_argument("photos", nargs="+", help="folder, glob, or manifest.csv")
    build.add_argument("out", type=Path, help="folder to write")
    build.add_argument("--pairs-per-photo", type=int, default=1)
    build.add_argument("--size", type=int, default=256, help="side of the square pictures, pixels")
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--format", choices=["imagefolder"], default="imagefolder")
    build.add_argument("--workers", type=int, default=0, help="processes; 0 = all cores")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 with one line on stderr when it could not."""
    options = parser().parse_args(arguments)
    from dataset_tools.build import BuildPlan, build
    from dataset_tools.photos import PhotoError

    plan = BuildPlan(
        out=options.out,
        pairs_per_photo=options.pairs_per_photo,
        size=options.size,
        seed=options.seed,
    )
    try:
        counts = build(options.photos, plan, options.workers)
    except (PhotoError, OSError) as error:
        print(f"faceshadow: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{split}: {count} pairs" for split, count in counts.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
