"""What is drawn, how often and from which ranges. A recipe is a value: same recipe, same pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    """mix: share of each class of pair. occluders: names to draw from, empty = all of the mix.
    relit: share of bases under a new light. person_only: share of shadows that end at the person.
    second_occluder: share with two. colour: "ambient" (light that stays in shadow) or "matrix"
    (Zhang 2020's gain and 3x3 matrix). ambient: log-uniform range of the linear luminance share
    that stays. ambient_spread: its variation in space. sky: range of the exponent on what of it
    reaches each point of a face (``dataset_tools.sky``), 0 = all alike. outdoor: share with the
    outdoor tint, mean and deviation of its blueness in tint_outdoor. coverage: accepted share
    of skin in shadow. aim: shape of the Beta distribution that the wanted coverage is drawn
    from. noisy: share with sensor noise. close_up: share with face_height (chin to forehead, of
    the frame) rather than wide_height.

    shares: occluders' shares in place of those of the mix. warmth: mean and deviation of the key's
    tint on relit bases. strength: range of its shading there, 1 = none of it left where it does not
    fall. relief: range of the exponent on the detail of a relit base's direct light, which grazes
    pores and threads. sheen: range of what of the key all of the person mirrors. scattering:
    log-uniform factor on the widths of scattering in skin. dyed: share of bases whose cloth takes
    another colour. worn: share of faces that wear or have something that no shadow made
    (``dataset_tools.worn``). Of relit bases, exposure: mean and deviation of the gain's logarithm;
    contrast, saturation: ranges of the grading, 1 keeps it."""

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
        """Factor on the widths of scattering in skin; takes no number where there is no range."""
        low, high = np.log(self.scattering)
        return float(np.exp(rng.uniform(low, high))) if high > low else float(np.exp(low))


RECIPES: dict[str, Recipe] = {
    "faceshadow": Recipe(),
    # photographs taken in the sun: docs/faceshadow.md says what was measured on them
    "sunlit": Recipe(
        name="sunlit",
        mix={"occluder": 0.70, "flat": 0.22, "tint": 0.05, "none": 0.03},
        shares={"twig": 0.24, "branches": 0.10, "leaves": 0.12},
        relit=0.85,
        ambient=(0.07, 0.25),
        ambient_spread=0.40,
        sky=(0.8, 2.2),
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
