"""Which photos become pairs: one readable list of filters, each (keep, reason)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from dataset_tools.facts import Facts
from dataset_tools.photos import PUNCTUATION, Photo

NAMELESS = re.compile(r"^unknown (photographer|author|artist|creator)\b\W*")
UNKNOWN = re.compile(
    r"(none|null|nan|n/?a|n\.a|tbd|todo|unclear)?$"
    r"|unknown|unspecified|undefined|not (stated|spec)|none stated|no licen[cs]e"
)
SPREAD = r"\b(re-?)?(distribut|publi|shar|copy(?!right)|copie|reproduc)"
LIMIT = r"commercial|profit|without (attribution|credit)|but|except"  # what it forbids, if not all
REFUSAL = re.compile(
    r"all rights reserved|proprietary|confidential"
    r"|no permission(?! (is )?(needed|necessary|required))"
    rf"|\b(do not|don't|not to be|may not be|must not be|cannot be|not for|no) {SPREAD}"
    rf"|\b(do not|don't|not to be|may not be|must not be|cannot be) use(?!([^.,;]* )?({LIMIT}))"
    rf"|\bnot (licen[cs]ed|cleared|permitted|allowed|authori[sz]ed) (for|to) ({SPREAD}|use\b)"
    r"|\bno[nt][ -]?(re-?)?(distribut|publish|shar|reproduc)able"
    rf"|(?<!commercial )({SPREAD}|\buse)((?!{LIMIT})[^.,;])*"
    r"((?<!not )(prohibited|forbidden)|not (permitted|allowed))"
    r"|\b(personal|private|internal)\b[^.,;]* use only|\bonly for (personal|private|internal) use"
)
OPEN = re.compile(
    r"\bcc0|\bcc[ -]by|creative commons|public domain|\bbsd\b|\bmit licen[cs]e"
    r"|\bapache([ -]licen[cs]e|[ -]2)"
)
DENIED = re.compile(r"\b(not|no|never)\b[^.,;()]*")  # what is named here is not the licence


@dataclass(frozen=True)
class Thresholds:
    """Limits of the filters.

    Attributes:
        iris_px: 80 suits high-resolution sources; the default admits portraits of 256 pixels.
        review_score: shadow score from which a photo is kept out until somebody looks at it.
    """

    iris_px: float = 30.0
    yaw: float = 50.0
    pitch: float = 40.0
    sharpness: float = 15.0
    skin_L: tuple[float, float] = (12.0, 95.0)
    clipped: float = 0.02
    chroma: float = 4.0
    eyes: float = 0.3
    manifest_asymmetry: float = 15.0
    review_score: float = 0.28
    reject_score: float = 0.4
    allow_unlicensed: bool = False


@dataclass(frozen=True)
class Verdict:
    """What becomes of a photo.

    Attributes:
        status: "kept", "review" or "dropped".
        step, reason: which filter objected, and why; empty for kept photos.
    """

    key: str
    status: str
    step: str = ""
    reason: str = ""


Filter = Callable[[Photo, Facts, Thresholds], str]  # reason, or '' to keep


def readable(_: Photo, facts: Facts, __: Thresholds) -> str:
    return facts.unreadable


def licensed(photo: Photo, _: Facts, limits: Thresholds) -> str:
    if permits(photo.licence) or limits.allow_unlicensed:
        return ""
    if not is_unknown(photo.licence):
        return f"licence {photo.licence!r} permits nothing; --allow-unlicensed if it is your own"
    return "licence unknown; state it in manifest.csv or with --licence, or --allow-unlicensed"


def permits(licence: str) -> bool:
    """Whether a licence text may permit use: it is stated, and is no refusal."""
    text = _plain(licence)
    refused = REFUSAL.search(text) and not OPEN.search(DENIED.sub("", text))
    return not (is_unknown(licence) or refused)


def is_unknown(licence: str) -> bool:
    """Whether a licence text states nothing: it is empty, a dash, 'n/a', ... That nobody knows who
    took the photo is no licence, and does not undo one."""
    return bool(UNKNOWN.match(NAMELESS.sub("", _plain(licence))))


def _plain(licence: str) -> str:
    return " ".join(licence.lower().split()).strip(PUNCTUATION)


def one_face(_: Photo, facts: Facts, __: Thresholds) -> str:
    return "" if facts.faces == 1 else f"{facts.faces or 'no'} face{'s' * (facts.faces != 1)} found"


def large_enough(_: Photo, facts: Facts, limits: Thresholds) -> str:
    small = facts.iris_px < limits.iris_px
    return f"iris distance {facts.iris_px:.0f} px < {limits.iris_px:.0f}" if small else ""


def frontal(_: Photo, facts: Facts, limits: Thresholds) -> str:
    if abs(facts.yaw) > limits.yaw:
        return f"yaw {facts.yaw:.0f} degrees, limit {limits.yaw:.0f}"
    return f"pitch {facts.pitch:.0f} degrees" if abs(facts.pitch) > limits.pitch else ""


def sharp(_: Photo, facts: Facts, limits: Thresholds) -> str:
    blurred = facts.sharpness < limits.sharpness
    return f"sharpness {facts.sharpness:.0f} < {limits.sharpness:.0f}" if blurred else ""


def well_exposed(_: Photo, facts: Facts, limits: Thresholds) -> str:
    low, high = limits.skin_L
    if not low <= facts.skin_L <= high:
        return f"skin L* {facts.skin_L:.0f} outside {low:.0f}..{high:.0f}"
    return f"{facts.clipped:.1%} of the skin clipped" if facts.clipped > limits.clipped else ""


def in_colour(_: Photo, facts: Facts, limits: Thresholds) -> str:
    grey = facts.chroma < limits.chroma
    return f"greyscale: skin chroma {facts.chroma:.1f}" if grey else ""


def eyes_visible(_: Photo, facts: Facts, limits: Thresholds) -> str:
    dark = facts.eyes < limits.eyes
    return f"sunglasses? eyes at {facts.eyes:.2f} of the cheeks' brightness" if dark else ""


def evenly_lit(photo: Photo, _: Facts, limits: Thresholds) -> str:
    """The manifest's own measure, where it has one: difference of the cheeks' mean L*."""
    stated = photo.tags.get("cheek_asym_L") or ""
    try:
        asymmetry = abs(float(stated))
    except ValueError:
        return "" if is_unknown(stated) else f"cheek_asym_L is {stated!r}, no number; fix it"
    high = asymmetry > limits.manifest_asymmetry
    return f"side-lit: cheeks differ by {asymmetry:.0f} L*" if high else ""


def shadow_free(_: Photo, facts: Facts, limits: Thresholds) -> str:
    high = facts.shadow_score > limits.reject_score
    return f"looks shadowed already: score {facts.shadow_score:.2f}" if high else ""


def surely_shadow_free(_: Photo, facts: Facts, limits: Thresholds) -> str:
    high = facts.shadow_score > limits.review_score
    return f"may be shadowed: score {facts.shadow_score:.2f}" if high else ""


FILTERS: tuple[Filter, ...] = (
    readable,
    licensed,
    one_face,
    large_enough,
    frontal,
    sharp,
    well_exposed,
    in_colour,
    eyes_visible,
    evenly_lit,
    shadow_free,
)
REVIEW: tuple[Filter, ...] = (surely_shadow_free,)


def only_unevenly_lit(photo: Photo, facts: Facts, limits: Thresholds) -> bool:
    """Whether its light is all that keeps a photo out: from the side, or such that it may hold a
    shadow. No target then, yet a picture in which nothing should be changed."""
    others = (step for step in FILTERS if step is not evenly_lit)
    if any(step(photo, facts, limits) for step in others):
        return False
    return any(step(photo, facts, limits) for step in (evenly_lit, *REVIEW))


def judge(photo: Photo, facts: Facts, limits: Thresholds) -> Verdict:
    """The first filter that objects decides."""
    for status, steps in (("dropped", FILTERS), ("review", REVIEW)):
        for step in steps:
            reason = step(photo, facts, limits)
            if reason:
                return Verdict(photo.key, status, step.__name__, reason)
    return Verdict(photo.key, "kept")


def copies(keys: Collection[str], clusters: Iterable[list[str]]) -> dict[str, str]:
    """For each of ``keys`` but the first of its cluster of one photograph: that first one."""
    extra: dict[str, str] = {}
    for cluster in clusters:
        alive = [key for key in cluster if key in keys]
        extra |= {key: alive[0] for key in alive[1:]}
    return extra


def drop_duplicates(verdicts: list[Verdict], clusters: Iterable[list[str]]) -> list[Verdict]:
    """Drop all but the first kept photo of each cluster of one photograph."""
    extra = copies({v.key for v in verdicts if v.status == "kept"}, clusters)
    return [
        Verdict(v.key, "dropped", "duplicates", f"the same photograph as {extra[v.key]}")
        if v.key in extra
        else v
        for v in verdicts
    ]
