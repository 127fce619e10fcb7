"""What the Make-a-shadow tab and the /synthesize endpoint do: portrait and settings to a pair."""

from __future__ import annotations

import html
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from demo import photos
from demo.cache import Cache
from demo.failures import dataset_failures_shown, failures_shown, refusal, renamed
from demo.photos import open_photo
from demo.storage import AGE_S, keep
from learnir.encoding import encode_png
from learnir.images import eight_bits, from_unit

if TYPE_CHECKING:
    from dataset_tools.studio import Portrait, ShadowSettings, StudioPair

MOST_PORTRAITS, MOST_PAIRS = 40, 8
MOST_OPEN = 6
"""Portraits whose faces are remembered, for an hour at most."""


def occluders() -> tuple[str, ...]:
    """What may stand in the light."""
    from dataset_tools.studio import occluder_names

    return occluder_names()


PORTRAITS: Cache[Portrait] = Cache(MOST_OPEN, lambda _: 1, AGE_S)


def open_portrait(path: str) -> Portrait:
    """The portrait in an upload, detected once a file; gr.Error where it has no face."""
    portrait = PORTRAITS.get(path)
    if portrait is None:
        portrait = _detected(path)
        PORTRAITS.put(path, portrait)
    return portrait


def _detected(path: str) -> Portrait:
    from dataset_tools import studio

    with failures_shown():
        picture = eight_bits(open_photo(path).picture)
    with dataset_failures_shown():
        return studio.open_portrait(picture)


def make_settings(
    occluder: str,
    azimuth: float,
    elevation: float,
    distance: float,
    softness: float,
    ambient: float,
    tint: float,
    opacity: float,
    face_shadow: bool,
    person_only: bool,
    seed: float | None,
) -> ShadowSettings:
    """Settings from the controls' values, in the order of the tab."""
    from dataset_tools.studio import ShadowSettings

    return ShadowSettings(
        occluder=occluder,
        azimuth=float(azimuth),
        elevation=float(elevation),
        distance=float(distance),
        softness=float(softness),
        ambient=float(ambient),
        tint=float(tint),
        opacity=float(opacity),
        face_shadow=bool(face_shadow),
        person_only=bool(person_only),
        seed=int(seed or 0),
    )


def make(path: str | None, settings: ShadowSettings) -> tuple[Portrait, StudioPair]:
    """The shadow of ``settings`` on an uploaded portrait; gr.Error says what the user can mend."""
    from dataset_tools import studio

    if not path:
        raise refusal("Choose a portrait first: upload one or take the example.")
    portrait = open_portrait(path)
    with dataset_failures_shown():
        return portrait, studio.cast_shadow(portrait, settings)


@dataclass(frozen=True)
class Layers:
    """What the tab shows of a pair; uint8 RGB or grey pictures."""

    shadow: np.ndarray
    mask: np.ndarray
    visibility: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray


def layers(portrait: Portrait, pair: StudioPair) -> Layers:
    """The pair's layers as pictures."""
    from dataset_tools import studio

    return Layers(
        pair.shadow,
        pair.mask,
        from_unit(pair.visibility),
        studio.depth_picture(pair.depth),
        studio.draw_landmarks(portrait),
    )


def facts_line(pair: StudioPair) -> str:
    """One line of Markdown on what was made."""
    meta = pair.meta
    H, W = pair.mask.shape
    return (
        f"**{meta['occluder']}** · {meta['coverage']:.0%} of the face in shadow · {W} × {H} px · "
        f"{meta['mm_per_pixel']:.2f} mm per pixel · seed {meta['seed']}"
    )


def save_pair(pair: StudioPair) -> str:
    """Path of a zip with shadow.png, clean.png, mask.png and metadata.json."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in ("shadow", "clean", "mask"):
            archive.writestr(f"{name}.png", encode_png(getattr(pair, name)))
        archive.writestr("metadata.json", json.dumps(pair.meta, indent=1))
    return keep(buffer.getvalue(), "shadow-pair.zip")


def hand_over_files(pair: StudioPair) -> str:
    """Path of the shadowed picture; its clean one lies beside it as the ground truth."""
    path = Path(keep(encode_png(pair.shadow), "made.png"))
    path.with_name("made-clean.png").write_bytes(encode_png(pair.clean))
    return str(path)


def build_dataset(
    paths: Sequence[str], pairs: int, seed: int, recipe: str, licence: str, format: str
) -> tuple[str, str, str]:
    """(zip, report, statistics) of a small FaceShadow made of uploaded portraits, as Markdown.

    Raises gr.Error for too many portraits, a missing licence, or when none can be used.
    """
    from dataset_tools.build import BuildPlan, build
    from dataset_tools.engines import EnginePlan
    from dataset_tools.recipe import recipe_named
    from dataset_tools.report import statistics
    from dataset_tools.shards import PairPlan
    from dataset_tools.traces import curation_lines

    if not 0 < len(paths) <= MOST_PORTRAITS:
        raise refusal(f"Choose 1 to {MOST_PORTRAITS} portraits; larger sets: faceshadow build.")
    if not licence.strip():
        raise refusal("State the licence of the portraits, such as CC BY 4.0 or 'my own'.")
    with tempfile.TemporaryDirectory() as folder:
        portraits, out = Path(folder, "portraits"), Path(folder, "faceshadow")
        names, damaged = _copy(paths, portraits)
        plan = BuildPlan(
            photos=(str(portraits),),
            out=out,
            pairs=PairPlan(min(int(pairs), MOST_PAIRS), 256, seed, recipe_named(recipe), format),
            licence=licence.strip()[:200],
            engine=EnginePlan("local", 1),
            sheets=False,
        )
        with dataset_failures_shown(names):
            made = build(plan)
        others = [line for line in curation_lines(out) if line["status"] != "kept"]
        left = [renamed(f"{line['photo']}: {line['reason']}", names) for line in others]
        found = made.photos | {"not readable": len(damaged)}
        summary = _summary(found, made.pairs, [*damaged, *map(html.escape, left)])
        return _zipped(out), summary, statistics(out).markdown()


def _copy(paths: Sequence[str], folder: Path) -> tuple[dict[str, str], list[str]]:
    """Uploads under safe names that no two share; sizes are judged before anything is decoded.

    Returns the uploads' own names by those, and a line on each that cannot be read; gr.Error where
    none can.
    """
    from dataset_tools.photos import SUFFIXES

    folder.mkdir()
    names: dict[str, str] = {}
    damaged: list[str] = []
    for number, path in enumerate(paths):
        try:
            with failures_shown():
                photo = photos.open_photo(path)
        except gr.Error as error:
            damaged.append(error.message)
            continue
        safe = f"{number:02d}-{photo.name}"
        if Path(safe).suffix.lower() not in SUFFIXES:  # a build looks for pictures by their names
            safe += photos.SUFFIXES[photo.file.written_as][0]
        shutil.copyfile(path, folder / safe)
        names[safe] = photo.name
    if not names:
        raise gr.Error("; ".join(damaged[:3]), title="Not possible", print_exception=False)
    return names, damaged


def _summary(found: dict[str, int], pairs: dict[str, int], left: Sequence[str]) -> str:
    """What became of the portraits, and a line on each that was left out."""

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{n} {name}" for name, n in counts.items() if n)

    head = f"**Portraits:** {listed(found)}. **Pairs:** {listed(pairs)}."
    return "\n".join([head, "", *(f"- {line}" for line in left)])


def _zipped(out: Path) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in out.rglob("*") if p.is_file()):
            name = path.relative_to(out)
            if not name.parts[0].startswith((".", "_")):
                archive.write(path, f"faceshadow/{name.as_posix()}")
    return keep(buffer.getvalue(), "faceshadow.zip")


def synthesize(path: str | None, settings: ShadowSettings) -> tuple[str, str, str, dict[str, Any]]:
    """Paths of the shadowed, clean and mask picture, and the parameters."""
    _, pair = make(path, settings)
    files = [keep(encode_png(getattr(pair, n)), f"{n}.png") for n in ("shadow", "clean", "mask")]
    return files[0], files[1], files[2], pair.meta
