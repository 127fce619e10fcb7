"""What is drawn, how often and from which ranges. A recipe is a value: same recipe, same pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from learnir.names import look_up

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
    """What is drawn for every pair: shares (of pairs, in [0, 1]) and ranges.

    Attributes:
        mix: share of each kind of pair.
        occluders: names to draw from; empty = all of the mix.
        shares: shares of occluders, in place of those of the mix.
        second_occluder: share of shadows with two.
        person_only: share of shadows that end at the person.
        coverage: accepted share of the skin in shadow.
        aim: parameters of the Beta distribution that the wanted coverage is drawn from.
        colour: "ambient" (light that stays in the shadow) or "matrix" (the gain and 3x3 matrix of
            Zhang 2020).
        ambient: luminance share of the light that stays, linear; drawn log-uniformly.
        ambient_spread: its variation in space.
        sky: exponent on how much of it reaches each point of a face (``dataset_tools.sky``); at 0
            it reaches all alike.
        beside: share of shadows, of those with a ``sky``, in which a compact light from beside
            stays.
        outdoor: share with the outdoor tint.
        tint_outdoor: mean and deviation of that tint's blueness.
        scattering: factor on the widths of scattering in skin; drawn log-uniformly.
        noisy: share with sensor noise.
        close_up: share framed by face_height rather than by wide_height.
        face_height, wide_height: chin to forehead, as a share of the frame.
        dyed: share whose cloth takes another colour.
        worn: share of faces that wear, or have, something dark that is no shadow
            (``dataset_tools.worn``).
        relit: share of bases under a new light; all that follows is of these alone.
        warmth: mean and deviation of the key light's tint.
        strength: of its shading; at 1 none of it is left where it does not fall.
        relief: exponent on the detail of the direct light, which grazes pores and threads.
        sheen: what of the key light everything on the person mirrors.
        exposure: mean and deviation of the gain's logarithm.
        contrast, saturation: of the grading; 1 keeps it.
    """

    name: str = "faceshadow"
    mix: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    occluders: tuple[str, ...] = ()
    relit: float = 0.6
    person_only: float = 0.9
    second_occluder: float = 0.28
    colour: str = "ambient"
    ambient: tuple[float, float] = (0.07, 0.30)
    ambient_spread: float = 0.28
    sky: tuple[float, float] = (0.0, 0.0)
    beside: float = 0.0
    outdoor: float = 0.8
    tint_outdoor: tuple[float, float] = (0.20, 0.07)
    coverage: tuple[float, float] = (0.06, 0.85)
    aim: tuple[float, float] = (1.6, 2.1)
    noisy: float = 0.6
    close_up: float = 0.6
    face_height: tuple[float, float] = (0.62, 0.78)
    wide_height: tuple[float, float] = (0.28, 0.60)
    shares: Mapping[str, float] = field(default_factory=dict)
    warmth: tuple[float, float] = (0.05, 0.07)
    strength: tuple[float, float] = (0.45, 1.0)
    relief: tuple[float, float] = (0.0, 0.0)
    sheen: tuple[float, float] = (0.0, 0.0)
    scattering: tuple[float, float] = (1.0, 1.0)
    dyed: float = 0.0
    worn: float = 0.0
    exposure: tuple[float, float] = (0.4, 0.3)
    contrast: tuple[float, float] = (0.75, 1.2)
    saturation: tuple[float, float] = (0.85, 1.2)

    def draw_scattering(self, rng: np.random.Generator) -> float:
        """Factor on the widths of scattering in skin; draws no number where there is no range."""
        low, high = np.log(self.scattering)
        return float(np.exp(rng.uniform(low, high))) if high > low else float(np.exp(low))


# photographs taken in the sun: docs/faceshadow.md says what was measured on them
SUNLIT = Recipe(
    name="sunlit",
    mix={"occluder": 0.70, "flat": 0.22, "tint": 0.05, "none": 0.03},
    shares={"twig": 0.24, "branches": 0.10, "leaves": 0.12},
    relit=0.85,
    ambient=(0.07, 0.25),
    ambient_spread=0.40,
    sky=(0.8, 2.2),
    beside=0.5,
    tint_outdoor=(0.22, 0.09),
    coverage=(0.04, 0.97),
    aim=(1.5, 1.7),
    close_up=0.7,
    warmth=(0.15, 0.13),
    strength=(0.7, 1.0),
    relief=(0.0, 0.5),
    sheen=(0.0, 0.04),
    scattering=(0.8, 2.5),
    dyed=0.6,
    worn=0.35,
    exposure=(0.6, 0.3),
    contrast=(0.9, 1.5),
    saturation=(0.95, 1.3),
)

RECIPES: dict[str, Recipe] = {
    "faceshadow": Recipe(),
    "sunlit": SUNLIT,
    # noses cast shadows of their own within shadows that reach them
    "broad": replace(
        SUNLIT,
        name="broad",
        mix={"occluder": 0.90, "flat": 0.10},
        shares={"twig": 0.05, "branches": 0.04, "leaves": 0.06},
        beside=1.0,
        coverage=(0.30, 0.97),
        worn=0.2,
    ),
    # Zhang et al. 2020, section 3.1: flat masks over the portrait as it is
    "zhang2020": Recipe(
        name="zhang2020",
        mix={"flat": 1.0},
        occluders=("perlin", "silhouette", "hand", "branches"),
        relit=0.0,
        person_only=0.0,
        second_occluder=0.0,
        colour="matrix",
        ambient=(0.09, 0.42),
        ambient_spread=0.15,
        noisy=0.0,
    ),
    # every pair with an attached self-shadow to remove as well: a labelled class of its own
    "self": Recipe(name="self", mix={"self": 0.5, "occluder_self": 0.5}, relit=0.0),
}


class RecipeError(ValueError):
    """An unknown recipe; the message suggests the nearest name."""


def recipe_named(name: str) -> Recipe:
    """Look a recipe up by name."""
    return look_up("recipe", name, RECIPES, RecipeError)
