"""A new light for the base photograph, in input and target alike.

Portraits at hand are softly lit; faces that need shadows removed stand in hard light. A model
trained on the former alone brightens every dark background and flattens natural shading, so part
of the bases get a key light (n.l shading, attached self-shadow, highlight), a white balance,
contrast, exposure and another background. The cast shadow comes afterwards, in the input only.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataset_tools.backdrops import backdrop
from dataset_tools.gaussian import blur
from dataset_tools.geometry import Surface, unit
from dataset_tools.light import Light, lambert, self_shadow
from dataset_tools.photometry import mix
from dataset_tools.recipe import Recipe
from learnir.images import luminance

BRIGHTEST = 1.25  # of the shading; the best-lit tenth of the skin is near 1


@dataclass(frozen=True)
class Look:
    """A new key light for a base, and the grading behind it.

    Attributes:
        strength: of the directional shading, 0 to 1.
        warmth: tint of the key light; positive = warm.
        exposure: linear gain of the skin's mean.
        contrast: exponent on luminance.
        saturation: factor on the distance from grey.
        gloss: linear strength of the highlight.
        background: linear gain.
        backdrop: seed of a procedural background; None keeps the photo's.
        relief: exponent on the detail of the direct light.
        sheen: what of the key light everything on the person mirrors, linear: hair and cloth, whose
            black is lighter in the sun, most of all where a strand or thread is lighter than its
            surroundings.
    """

    strength: float
    warmth: float
    exposure: float
    contrast: float
    saturation: float
    gloss: float
    background: float
    backdrop: int | None
    relief: float = 0.0
    sheen: float = 0.0


def draw_look(rng: np.random.Generator, recipe: Recipe) -> Look:
    """A look in the range from overcast to hard sunlight."""
    dark = rng.random() < 0.2
    background = rng.uniform(0.01, 0.2) if dark else np.exp(rng.normal(-0.2, 0.5))
    return Look(
        strength=float(rng.uniform(*recipe.strength)),
        warmth=float(rng.normal(*recipe.warmth)),
        exposure=float(np.exp(rng.normal(*recipe.exposure))),
        contrast=float(rng.uniform(*recipe.contrast)),
        saturation=float(rng.uniform(*recipe.saturation)),
        gloss=float(max(0.0, rng.normal(0.02, 0.03))),
        background=float(background),
        backdrop=int(rng.integers(2**31)) if rng.random() < 0.45 else None,
        relief=float(rng.uniform(*recipe.relief)) if recipe.relief[1] > 0 else 0.0,
        sheen=float(rng.uniform(*recipe.sheen)) if recipe.sheen[1] > 0 else 0.0,
    )


def direct_shading(scene: Surface, light: Light) -> np.ndarray:
    """n.l V_self over that of the best-lit tenth of the skin, at most BRIGHTEST; (H, W)."""
    shading = lambert(scene.normals, light) * self_shadow(scene.depth, scene.mm, light)
    shading = extrapolated(shading, scene)
    best = float(np.percentile(shading[scene.face], 90)) if scene.face.any() else 1.0
    return np.minimum(shading / max(best, 0.15), BRIGHTEST)


def extrapolated(shading: np.ndarray, scene: Surface) -> np.ndarray:
    """Hair, ears and body have no trustworthy surface: they take the mean of the face near them."""
    face = cv2.erode(scene.face.astype(np.float32), np.ones((3, 3)))
    wide = 22 / scene.mm
    mean = float(shading[scene.face].mean()) if scene.face.any() else 1.0
    near = (blur(shading * face, wide) + 0.03 * mean) / (blur(face, wide) + 0.03)
    trust = np.clip(2 * blur(face, 5 / scene.mm) - 0.5, 0, 1)
    return blur(shading, max(0.6, 0.8 / scene.mm)) * trust + near * (1 - trust)


def highlight(scene: Surface, light: Light) -> np.ndarray:
    """Blinn-Phong lobe (n.h)^24 on the skin; (H, W)."""
    half = unit(light.direction + np.array([0, 0, 1], np.float32))
    return (np.maximum(scene.normals @ half, 0) ** 24 * scene.skin).astype(np.float32)


def relief(linear: np.ndarray, mm: float) -> np.ndarray:
    """Luminance over its own blur of 2.5 mm, within a factor of two; (H, W).

    Light from one side draws pores, wrinkles and threads that light from everywhere fills, so the
    detail of a face in shadow is not the sunlit detail made darker.
    """
    y = luminance(linear) + 0.01
    return np.clip(y / blur(y, 2.5 / mm), 0.5, 2.0)


def relight(
    linear: np.ndarray,
    scene: Surface,
    *,
    person: np.ndarray,
    light: Light,
    ambient: np.ndarray,
    look: Look,
    wall: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Base under the new light and each point's own ambient share; both (H, W, 3).

    I = albedo A + [albedo (1 - A) K D + (gloss (n.h)^24 + sheen relief^2) D], the bracket being
    what a foreign shadow can block. ``person`` (H, W) in [0, 1] limits the key to the person; what
    stands behind is taken from ``wall`` (H, W, 3) where ``linear`` does not show it as it is.
    """
    graded = _grade(linear, look)
    shading = 1 - look.strength * (1 - direct_shading(scene, light))
    key = np.array([1 + look.warmth, 1.0, 1 - look.warmth], np.float32)
    detail = relief(graded, scene.mm) if look.relief or look.sheen else np.float32(1)
    mirrored = look.gloss * highlight(scene, light) + look.sheen * detail**2
    gloss = mirrored * np.clip(shading, 0, 1)
    indirect = graded * ambient
    shading = shading * detail**look.relief
    direct = graded * (1 - ambient) * (shading[..., None] * key) + gloss[..., None]
    lit = indirect + direct
    gain = look.exposure * _mean_skin(linear, scene) / max(_mean_skin(lit, scene), 1e-4)
    gain = min(gain, 0.95 / max(_peak_skin(lit, scene), 1e-4))
    share = indirect / np.maximum(lit, 1e-5)
    inner = np.clip((person - 0.4) / 0.6, 0, 1)  # the matte's rim still shows the old background
    mixed = mix(lit * gain, _background(linear if wall is None else wall, look), inner)
    return mixed, np.clip(mix(share, ambient, person), 0, 1)


def _mean_skin(linear: np.ndarray, scene: Surface) -> float:
    return float(luminance(linear)[scene.face].mean()) if scene.face.any() else 0.2


def _peak_skin(linear: np.ndarray, scene: Surface) -> float:
    return float(np.percentile(linear[scene.face], 97)) if scene.face.any() else 0.8


def _grade(linear: np.ndarray, look: Look) -> np.ndarray:
    """Contrast of the luminance about middle grey, hue kept; then saturation."""
    y = np.maximum(luminance(linear), 1e-4)[..., None]
    grey = 0.18 * (y / 0.18) ** look.contrast
    graded = linear * (grey / y)
    return np.maximum(grey + look.saturation * (graded - grey), 0).astype(np.float32)


def _background(linear: np.ndarray, look: Look) -> np.ndarray:
    if look.backdrop is None:
        return linear * look.background
    return backdrop(np.random.default_rng(look.backdrop), (linear.shape[0], linear.shape[1]))


def shoulder(linear: np.ndarray) -> np.ndarray:
    """Highlight roll-off of a camera: identity below 0.75, then 0.75 + 0.25 (1 - e^-x)."""
    over = np.maximum(linear - 0.75, 0) / 0.25
    return np.where(linear < 0.75, linear, 0.75 + 0.25 * (1 - np.exp(-over))).astype(np.float32)
