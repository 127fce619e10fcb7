"""What is drawn, how often and from which ranges. A recipe is a value: same recipe, same pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_MIX = {
    "occluder": 0.55,
    "flat": 0.22,
    "tint": 0.06,
    "occluder_self": 0.03,
    "self": 0.02,
    "none": 0.12,
}


@dataclass(frozen=True)
class Recipe:
    """mix: share of each class of pair. relit: share of bases under a new light. person_only:
    share of shadows that end at the person. ambient: log-uniform range of the linear luminance
    share that stays in shadow. tint_outdoor: mean and deviation of the ambient's blueness.
    coverage: accepted share of skin in shadow. aim: shape of the Beta distribution the wanted
    coverage is drawn from. face_height: chin to forehead, of the frame."""

    name: str = "faceshadow"
    mix: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    relit: float = 0.6
    person_only: float = 0.9
    second_occluder: float = 0.28
    ambient: tuple[float, float] = (0.09, 0.42)
    ambient_spread: float = 0.15
    outdoor: float = 0.8
    tint_outdoor: tuple[float, float] = (0.16, 0.06)
    coverage: tuple[float, float] = (0.06, 0.85)
    aim: tuple[float, float] = (1.6, 2.1)
    noisy: float = 0.6
    close_up: float = 0.85
    face_height: tuple[float, float] = (0.62, 0.78)
    wide_height: tuple[float, float] = (0.40, 0.60)


RECIPES: dict[str, Recipe] = {"faceshadow": Recipe()}
