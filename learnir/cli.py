"""The ``learnir`` command: restore pictures, train models, look at checkpoints.

Nothing heavy is imported before the options are read, so that ``--help`` answers at once.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg
from tyro.constructors import PrimitiveConstructorSpec

from learnir import console
from learnir.paths import expanded, is_hub_id


def _named(kind: type[Any], metavar: str) -> PrimitiveConstructorSpec[Any]:
    """The reader of an option that is a path: ~ is the home folder, and only "" is refused."""

    def read(words: list[str]) -> Any:
        if not words[0]:  # to Path the same as "."; tyro would put a frame around a ValueError
            raise OSError("a path is empty; name a file or folder")
        return kind(expanded(words[0]))

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


PathArgument = Annotated[Path, _named(Path, "PATH")]
Weights = Annotated[str, _named(str, "STR")]
On = Annotated[bool, arg(help_behavior_hint="(default: False)")]  # of --no-..., all that is shown
Device = Annotated[str | None, arg(help="cpu, cuda or cuda:1; a GPU if there is one")]
CANNOT_START = 2
NARROWEST = 20  # columns; below 6, tyro breaks the lines of --help for ever


@console.signals_interrupt()
def restore(
    paths: Annotated[
        Positional[list[str]], arg(metavar="PATH...", help_behavior_hint="(required)")
    ],
    /,
    out: Annotated[PathArgument, arg(aliases=["-o"])],
    checkpoint: Weights | None = None,
    mode: Literal["auto", "gain", "tile"] = "auto",
    work_size: int | None = None,
    steps: int | None = None,
    schedule: Literal["checkpoint", "linear", "cosine"] = "checkpoint",
    scales: str | None = None,
    correction: Literal["checkpoint", "none", "paper", "exact", "learned"] = "checkpoint",
    weight: float | None = None,
    eta: float | None = None,
    mirror: bool | None = None,
    strength: float = 1.0,
    seed: int = 0,
    faces: On = True,
    borders: On = True,
    mask: PathArgument | None = None,
    device: Device = None,
    format: Literal["same", "jpeg", "png", "webp", "tiff"] = "same",
    compare: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    strip_metadata: bool = False,
    max_megapixels: float = 50.0,
    workers: int | None = None,
) -> int:
    """Remove shadows from pictures: files, folders (searched through) and globs.

    Size, format, depth, transparency, EXIF and colour profile are kept; XMP and text comments are
    not. HEIC and AVIF are read, and become JPEG.

    Args:
        paths: pictures, folders or globs; ./-name.jpg for a name that begins with a dash.
        out: folder for the results, or a file name for a single picture.
        checkpoint: folder or Hub id; the shipped weights by default.
        mode: gain: estimate small, relight at full size; tile: run at native size in tiles; auto:
            the whole picture up to the working size (enlarged as the checkpoint says), else gain.
        work_size: longest side in pixels that the network sees at once; None, here and below, is
            the checkpoint's own setting.
        steps: sampling steps T'.
        schedule: noise schedule.
        scales: s(1..T') such as 1,2,2,4,4; fixed: 1 at every step; drm: our rule for any number of
            steps, 1,1,2,4,4 for five. None is the checkpoint's own, 1,2,2,4,4 as shipped.
        correction: DPSC correction.
        weight: weight of the correction, 0 to 1.
        eta: share of the fresh noise, 0 to 1.
        mirror: average the last step with that of the mirror image: slower, hardly better.
        strength: 0 changes nothing, 1 removes the shadow as estimated, up to 1.5.
        seed: of the noise; equal seeds give equal results.
        faces: no close-ups of faces that do not fill the picture, and no turning of pictures whose
            faces lie on their sides or stand on their heads.
        borders: also restore bars of one colour around a photograph, otherwise left as they are.
        mask: a grey picture with the proportions of the one to restore (not for videos): white is
            restored, black stays as it is; or a folder with NAME.png for NAME.jpg, where pictures
            without a mask are restored whole.
        format: of restored pictures; same: that of the input, JPEG for HEIC and AVIF.
        compare: also write a before | after picture, photo.jpg.compare.jpg (not for videos).
        resume: skip pictures that have a result, however it was made; with --compare, add missing
            comparisons.
        overwrite: replace existing results, and the inputs themselves where -o is their folder.
        strip_metadata: leave EXIF, and titles and dates of videos, out of the results.
        max_megapixels: refuse larger pictures.
        workers: pictures restored in parallel, as far as memory allows; None is one per core, at
            most eight.
    """
    from learnir.planning import Writing, plan

    if workers is not None and workers < 1:
        raise ValueError(f"--workers is at least 1, got {workers}")
    writing = Writing(
        format=None if format == "same" else format,
        compare=compare,
        resume=resume,
        overwrite=overwrite,
        strip_metadata=strip_metadata,
        most_pixels=parse_megapixels(max_megapixels),
    )
    options: dict[str, Any] = {
        "mode": mode,
        "work_size": work_size,
        "steps": steps,
        "schedule": None if schedule == "checkpoint" else schedule,
        "scales": parse_scales(scales),
        "correction": None if correction == "checkpoint" else correction,
        "weight": weight,
        "eta": eta,
        "mirror": mirror,
        "strength": strength,
        "seed": seed,
        "faces": faces,
        "borders": borders,
    }
    _check_checkpoint(checkpoint)
    todo = plan(paths, out, writing, mask)
    for line in (*todo.problems, *todo.notes):
        print(line, file=sys.stderr)
    if not todo.tasks:
        return console.FAILED
    from learnir.faces import unavailable
    from learnir.pipeline import LearnIR  # torch, which takes seconds
    from learnir.restore import run

    learnir = LearnIR.from_pretrained(checkpoint, device)
    learnir.check(**options)
    if faces and (problem := unavailable()):
        print(f"{problem}, or --no-faces", file=sys.stderr)
    outcome = run(learnir, todo.tasks, writing, options, workers)
    failed = len(outcome.failed) + len(todo.problems)
    print(f"{outcome.restored} restored, {outcome.skipped} skipped, {failed} failed -> {out}")
    return console.FAILED if failed else 0


def info(checkpoint: Positional[Weights | None] = None, /) -> int:
    """Describe a checkpoint: network, sampling, size, training, scores.

    Args:
        checkpoint: folder or Hub id; the shipped weights by default.
    """
    _check_checkpoint(checkpoint)
    from learnir.describe import describe

    print("\n".join(describe(checkpoint)))
    return 0


def train(
    preset: Annotated[Positional[str], arg(metavar="PRESET")],
    /,
    data: list[PathArgument],
    out: PathArgument,
    validation: PathArgument | None = None,
    resume: bool = False,
    init: Weights | None = None,
    pairs: int | None = None,
    iterations: list[int] | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    precision: Literal["fp32", "bf16"] | None = None,
    compile: bool | None = None,
    device: Device = None,
    processes: int = 1,
) -> int:
    """Train a preset on paired data.

    Args:
        preset: cpu (two cores, hours), release (one GPU), paper (the paper's training) or smoke
            (seconds; teaches nothing).
        data: folders with input/ and target/, built FaceShadow folders, or archives of
            faceshadow pack.
        out: folder of the run; its last/ holds the averaged weights, best/ those that validated
            best.
        validation: folder or archive whose val split is scored, or input/ and target/, scored whole
            unless they are in --data; by default the first of --data that has a val split.
        resume: go on from the state in --out.
        init: checkpoint to start from: of the preset's network, or a smaller one of its kind.
        pairs: train on only this many pairs, the first ones.
        iterations: steps of each stage, instead of the preset's; 0 skips a stage.
        minutes: train for this long instead (compiling counts, loading does not); the stages share
            the time as they would share the steps. Not with --processes.
        seed: of the initial weights and of everything drawn; None is the preset's, 0.
        precision: fp32 or bf16 autocast; on a CPU bf16 pays where /proc/cpuinfo lists avx512_bf16.
        compile: on the CPU, compile the network when each kind of step first comes (minutes; needs
            a C++ compiler); on a GPU, record each kind of step and replay it (seconds).
        processes: on the CPU, split every batch among this many processes of one thread each. Not
            with --minutes.
    """
    return _trained(
        lambda command: command.train(
            preset,
            data,
            out,
            validation=validation,
            resume=resume,
            init=init,
            pairs=pairs,
            iterations=iterations,
            minutes=minutes,
            seed=seed,
            precision=precision,
            compile=compile,
            device=device,
            processes=processes,
        )
    )


def adapt(
    data: list[PathArgument],
    out: PathArgument,
    checkpoint: Weights | None = None,
    validation: PathArgument | None = None,
    pairs: int | None = None,
    iterations: int | None = None,
    variance: bool = False,
    resume: bool = False,
    seed: int = 0,
    device: Device = None,
) -> int:
    """Fit the correction branch to a new domain, beside the frozen denoiser.

    Args:
        data: folders with input/ and target/, or built FaceShadow folders.
        out: folder of the run; its last/ holds the adapted checkpoint.
        checkpoint: what to adapt; the shipped weights by default.
        validation: folder or archive whose val split is scored, or input/ and target/, scored whole
            unless they are in --data; by default the first of --data that has a val split.
        pairs: train on only this many pairs, the first ones.
        iterations: training steps; None is 2000.
        variance: also predict the spread of the correction.
        resume: go on from the state in --out.
        seed: of the branch's initial weights and of everything drawn.
    """
    return _trained(
        lambda command: command.adapt(
            checkpoint,
            data,
            out,
            validation=validation,
            pairs=pairs,
            iterations=iterations,
            variance=variance,
            resume=resume,
            seed=seed,
            device=device,
        )
    )


@console.signals_interrupt()
def export(
    onnx: PathArgument,
    checkpoint: Weights | None = None,
    steps: int | None = None,
    scales: str | None = None,
    correction: Literal["checkpoint", "none", "paper", "exact", "learned"] = "checkpoint",
    weight: float | None = None,
) -> int:
    """Write the whole sampler as one ONNX graph, compared with PyTorch before it is kept.

    Args:
        onnx: file to write.
        checkpoint: folder or Hub id; the shipped weights by default.
        steps: sampling steps T'; None, here and below, is the checkpoint's own setting.
        scales: s(1..T') such as 1,2,2,4,4; fixed: 1 at every step; drm: our rule for any number of
            steps, 1,1,2,4,4 for five. None is the checkpoint's own, 1,2,2,4,4 as shipped.
        correction: DPSC correction.
        weight: weight of the correction, 0 to 1.
    """
    from learnir.export import export_onnx
    from learnir.pipeline import LearnIR

    settings: dict[str, Any] = {
        "steps": steps,
        "scales": parse_scales(scales),
        "correction": None if correction == "checkpoint" else correction,
        "weight": weight,
    }
    learnir = LearnIR.from_pretrained(checkpoint, "cpu")
    learnir.check(**settings)
    print("exporting ...", file=sys.stderr)
    graph = export_onnx(learnir.model, onnx, **settings)
    print(
        f"{graph.path}: pictures of {graph.multiple}n x {graph.multiple}m pixels, "
        f"{len(graph.draws)} noise inputs, within {graph.difference:.1e} of PyTorch"
    )
    return 0


def _trained(run: Callable[[Any], Path]) -> int:
    """Runs a training command; a stop that can be resumed is one line."""
    try:
        from learnir.training import command
        from learnir.training.loop import Interrupted, TrainingDiverged
    except ImportError as error:
        raise ValueError(
            f"{error}; for training, in the repository run: pip install -e '.[train]'"
        ) from error
    try:
        print(run(command))
    except (Interrupted, TrainingDiverged, MemoryError) as error:
        print(f"learnir: {error}", file=sys.stderr)
        return console.INTERRUPTED if isinstance(error, Interrupted) else console.FAILED
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "restore": restore,
    "info": info,
    "train": train,
    "adapt": adapt,
    "export": export,
}


def _check_checkpoint(where: str | None) -> None:
    """ValueError for what is neither a folder nor a Hub id, before torch is loaded."""
    if not (where is None or os.path.exists(where) or is_hub_id(where)):
        raise ValueError(f"{Path(where)}: no such checkpoint folder; check the path or the Hub id")


def parse_scales(text: str | None) -> str | tuple[int, ...] | None:
    """ "drm", "fixed" or "1,1,2,4,4" -> what ``LearnIR.restore`` takes; ValueError otherwise."""
    if text in (None, "drm", "fixed"):
        return text
    try:
        return tuple(int(part) for part in str(text).split(","))
    except ValueError as error:
        raise ValueError(f"--scales is drm, fixed or numbers as 1,1,2,4,4; got {text!r}") from error


def parse_megapixels(number: float) -> int:
    """Megapixels -> pixels; ValueError unless it is a number above 0."""
    if not 0 < number < math.inf:
        raise ValueError(f"--max-megapixels is a number above 0, got {number:g}")
    return round(number * 1e6)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; expected errors are one line and exit code 2, Ctrl-C is 130, SIGTERM 143."""
    code: int
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: any file name can be printed
    if shutil.get_terminal_size().columns < NARROWEST:
        os.environ["COLUMNS"] = str(NARROWEST)
    try:
        code = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="learnir",
            description="Learnable posterior sampling for real-world image restoration.",
            args=arguments,
            config=(FlagCreatePairsOff,),
        )
    except KeyboardInterrupt as stop:
        print("; ".join(["interrupted", *getattr(stop, "__notes__", ())]), file=sys.stderr)
        code = getattr(stop, "status", console.INTERRUPTED)
    except (ValueError, OSError) as error:
        if console.is_broken_pipe(error):
            sys.exit(console.BROKEN_PIPE)
        print(f"learnir: {console.one_line(error)}", file=sys.stderr)
        code = CANNOT_START
    sys.exit(code)


if __name__ == "__main__":
    main()
