"""What a restoration returns: the picture, its gain, and any other strength without the network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from learnir.borders import Region
from learnir.gain import GainMap, Strength, apply_gain, blend, shadow_mask
from learnir.masks import same_proportions

STRONGEST = 1.5


@dataclass(frozen=True)
class Restoration:
    """A restored picture, and what is needed to inspect it or change its strength.

    Attributes:
        picture: uint8 or uint16 RGB (H, W, 3), as large and deep as what was given.
        gain: float32 (h, w, 3), log2 of linear light restored over observed, at working resolution.
        mode: how it was made: "native", "gain" or "tile".
        seconds: wall time.
        trajectory: (t, s(t), preview) per step, the previews uint8 RGB estimates of the restored
            picture at the resolution that the step went to, without borders of one colour; empty
            unless asked for.
        observed: the picture given.
    """

    picture: np.ndarray
    gain: np.ndarray
    mode: str
    seconds: float
    trajectory: tuple[tuple[int, int, np.ndarray], ...]
    observed: np.ndarray = field(repr=False)
    gain_map: GainMap | None = field(repr=False)
    restored: np.ndarray | None = field(repr=False)

    def at_strength(self, strength: Strength) -> np.ndarray:
        """The picture re-blended, 0 the observed, 1 the restored, up to 1.5; no network.

        Args:
            strength: one number, or a map (h, w) of any size but the picture's proportions.
        """
        strength = strength_for(strength, self.observed.shape[:2])
        return at_strength(self.observed, self.gain_map, self.restored, strength)

    def turned(self, quarters: int) -> Restoration:
        """The same restoration, everything in it turned as by ``np.rot90``."""
        if quarters % 4 == 0:
            return self

        def turn(pixels: np.ndarray) -> np.ndarray:
            return np.ascontiguousarray(np.rot90(pixels, quarters))

        return replace(
            self,
            picture=turn(self.picture),
            gain=turn(self.gain),
            trajectory=tuple((t, s, turn(preview)) for t, s, preview in self.trajectory),
            observed=turn(self.observed),
            gain_map=self.gain_map and self.gain_map.turned(quarters),
            restored=None if self.restored is None else turn(self.restored),
        )

    def within(self, observed: np.ndarray, region: Region, strength: float) -> Restoration:
        """The same restoration as one of ``observed`` (H, W, 3), of which it is the ``region``.

        ``strength`` is that of its picture. The trajectory goes on showing that part.
        """
        if self.observed.shape == observed.shape:
            return self

        def joined(part: np.ndarray) -> np.ndarray:
            full = observed.copy()
            full[region] = part
            return full

        picture = joined(self.picture)
        restored = picture.copy() if strength == 1 else joined(self.at_strength(1.0))
        gain = _surrounded(self.gain, region, observed.shape)
        return replace(
            self, picture=picture, gain=gain, observed=observed, gain_map=None, restored=restored
        )

    def shadow_mask(self) -> np.ndarray:
        """Where the restoration added light: uint8 (H, W), 255 = in shadow, soft at the border."""
        return shadow_mask(self.gain, *self.observed.shape[:2])


def _surrounded(small: np.ndarray, region: Region, whole: tuple[int, ...]) -> np.ndarray:
    """A map (h, w, C) of the ``region``, padded with zeros to one of the whole."""
    margins = []
    for n, part, side in zip(small.shape, region, whole, strict=False):
        f = n / (part.stop - part.start)
        margins.append((round(f * part.start), round(f * (side - part.stop))))
    return np.pad(small, (*margins, (0, 0)))


def check_strength(strength: Strength) -> Strength:
    """``strength``, a float or a map float32 (h, w); ValueError unless it lies in [0, 1.5]."""
    given = np.asarray(strength)
    if given.dtype.kind not in "bfiu":
        raise ValueError(f"strength is a number or a map of numbers, got {given.dtype}")
    if given.ndim not in (0, 2) or given.size == 0:
        raise ValueError(f"a map of strengths is (h, w) and not empty, got {given.shape}")
    wrong = [x for x in (given.min(), given.max()) if not 0 <= x <= STRONGEST]
    if wrong:
        raise ValueError(f"strength goes from 0 (input) over 1 (restored) to 1.5, got {wrong[0]}")
    return given.astype(np.float32) if given.ndim else float(given)


def strength_for(strength: Strength, size: tuple[int, ...]) -> Strength:
    """``strength``, checked for a picture of ``size`` (H, W): ValueError where a map has other
    proportions, and as ``check_strength``."""
    strength = check_strength(strength)
    if isinstance(strength, np.ndarray) and not same_proportions(strength.shape, size):
        (h, w), (H, W) = strength.shape, size
        raise ValueError(
            f"a map of strengths (h, w) = ({h}, {w}), of a picture ({H}, {W}); "
            "give it the picture's proportions"
        )
    return strength


def at_strength(
    observed: np.ndarray,
    gain_map: GainMap | None,
    restored: np.ndarray | None,
    strength: Strength,
) -> np.ndarray:
    """The observed picture relit by a gain map, or joined with a restored one of its own size."""
    strength = check_strength(strength)
    if np.all(strength == 0):
        return observed.copy()
    if restored is None:
        if gain_map is None:
            raise ValueError("neither a gain nor a restored picture to blend with")
        return apply_gain(observed, gain_map, strength)
    return restored.copy() if np.all(strength == 1) else blend(observed, restored, strength)
