"""The restoration as a gain: log2 of the ratio of linear light, restored over observed.

A shadow multiplies light, so its removal is a smooth gain wherever the picture has detail.
Estimated at a working resolution and applied at full resolution, it leaves every detail of the
observation in place. At a hard shadow edge the gain is not smooth: there it follows the luminance
of the full-size picture, by the coefficients of a guided filter (He, Sun and Tang 2013; computed
small and applied large, He and Sun 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from learnir.images import decode_linear, encode_linear_quickly, luminance
from learnir.strips import each_strip

FLOOR = 1.0 / 1024  # added to linear light: below it a ratio is noise
LARGEST = 6.0  # stops; deeper shadows hold nothing to bring back
ROUNDING = 1e-4  # variance, in stops^2, below which a correlation is that of rounding errors
Strength = float | np.ndarray
"""How much of a gain: 0 none, 1 all of it. One number, or a map float32 (h, w) of any size."""
RADIUS = 1  # pixels at working resolution
FLATNESS = 0.05  # variance, in stops^2, that counts as flat


def log_gain(observed: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """log2((restored + floor) / (observed + floor)), in stops; both linear light of equal shape."""
    gain = np.log2((np.clip(restored, 0, 1) + FLOOR) / (np.clip(observed, 0, 1) + FLOOR))
    return np.clip(gain, -LARGEST, LARGEST).astype(np.float32)


def brighten(linear: np.ndarray, gain: np.ndarray, strength: Strength = 1.0) -> np.ndarray:
    """The inverse of ``log_gain`` at strength 1; strength 0 returns ``linear``."""
    return (linear + FLOOR) * np.exp2(np.float32(strength) * gain) - FLOOR


def strength_of_rows(strength: Strength, rows: slice, H: int, W: int) -> Strength:
    """The strength of some rows of a picture (H, W): (n, W, 1) from a map, else the number."""
    if not isinstance(strength, np.ndarray):
        return strength
    return enlarge_rows(strength, H, W, rows.start, rows.stop - rows.start)[..., None]


def log_luminance(linear: np.ndarray) -> np.ndarray:
    """The guide: log2 of the luminance of linear light (H, W, 3) -> (H, W), in stops."""
    return np.log2(luminance(linear) + FLOOR)


def slope(guide: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """How the gain (h, w, 3) follows the guide (h, w) around every pixel: stops per stop (h, w, 3).

    The guided filter's a = cov(guide, gain) / (var(guide) + flatness), averaged over its windows;
    times r^4, r the correlation, so that texture in a soft border is not taken for the border.
    """
    guide = guide[..., None]
    mean, mean_gain = _box(guide), _box(gain)
    variance = _box(guide * guide) - mean**2
    variance_gain = _box(gain * gain) - mean_gain**2
    covariance = _box(guide * gain) - mean * mean_gain
    r2 = covariance**2 / ((variance + ROUNDING) * (variance_gain + ROUNDING))
    return _box(covariance / (variance + FLATNESS) * np.clip(r2, 0, 1) ** 2)


def _box(x: np.ndarray) -> np.ndarray:
    side = 2 * RADIUS + 1
    return cv2.blur(x, (side, side), borderType=cv2.BORDER_REPLICATE).reshape(x.shape)


@dataclass(frozen=True)
class GainMap:
    """A gain at working resolution with what it takes to bring it to any size.

    Attributes:
        gain: stops (h, w, 3); ``slope``: stops per stop of the guide (h, w, 3);
        guide: log luminance (h, w) that both belong to.
    """

    gain: np.ndarray
    slope: np.ndarray
    guide: np.ndarray

    @classmethod
    def between(cls, observed: np.ndarray, restored: np.ndarray) -> GainMap:
        """From the observed and the restored picture at working resolution, linear (h, w, 3)."""
        gain, guide = log_gain(observed, restored), log_luminance(observed)
        return cls(gain, slope(guide, gain), guide)

    def turned(self, quarters: int) -> GainMap:
        """The map of the picture turned by quarters, as by ``np.rot90``."""
        return GainMap(*(np.rot90(x, quarters) for x in (self.gain, self.slope, self.guide)))

    def rows(self, linear: np.ndarray, first: int, height: int) -> np.ndarray:
        """The gain of the rows from ``first`` on of a picture ``height`` rows high.

        gain + slope (guide of the rows - guide of the map), everything interpolated linearly:
        where the gain does not follow the luminance this is the smooth gain alone.

        Args:
            linear: the rows in linear light, (n, W, 3).
        """
        count, W = linear.shape[:2]

        def fine(x: np.ndarray) -> np.ndarray:
            return enlarge_rows(x, height, W, first, count)

        detail = log_luminance(linear) - fine(self.guide)
        return fine(self.gain) + fine(self.slope) * detail[..., None]


def enlarge_rows(x: np.ndarray, H: int, W: int, first: int, count: int) -> np.ndarray:
    """Rows ``first`` to ``first + count`` of ``x`` (h, w, ...) resized to (H, W), bilinear."""
    h = x.shape[0]
    at = np.clip((np.arange(first, first + count) + 0.5) * h / H - 0.5, 0, h - 1)
    above = at.astype(np.intp)
    share = (at - above).astype(np.float32).reshape(-1, *(1,) * (x.ndim - 1))
    mixed = x[above] * (1 - share) + x[np.minimum(above + 1, h - 1)] * share
    return cv2.resize(mixed, (W, count), interpolation=cv2.INTER_LINEAR)


def apply_gain(picture: np.ndarray, gain_map: GainMap, strength: Strength = 1.0) -> np.ndarray:
    """The picture (H, W, 3), relit; strip by strip, so that memory stays bounded.

    Where the strength is 0 it stays as it is, to the last bit.
    """
    H, W = picture.shape[:2]
    out = np.empty_like(picture)

    def relight(rows: slice) -> None:
        linear = decode_linear(picture[rows])
        s = strength_of_rows(strength, rows, H, W)
        relit = brighten(linear, gain_map.rows(linear, rows.start, H), s)
        out[rows] = encode_linear_quickly(relit, picture.dtype.type)
        np.copyto(out[rows], picture[rows], where=np.equal(s, 0))

    each_strip(picture.shape, relight)
    return out


def blend(observed: np.ndarray, restored: np.ndarray, strength: Strength) -> np.ndarray:
    """Two pictures of one size and dtype, joined along their gain: 0 observed, 1 restored."""
    H, W = observed.shape[:2]
    out = np.empty_like(observed)

    def mix(rows: slice) -> None:
        linear = decode_linear(observed[rows])
        gain = log_gain(linear, decode_linear(restored[rows]))
        s = strength_of_rows(strength, rows, H, W)
        out[rows] = encode_linear_quickly(brighten(linear, gain, s), observed.dtype.type)
        for picture, end in ((observed, 0), (restored, 1)):
            np.copyto(out[rows], picture[rows], where=np.equal(s, end))

    each_strip(observed.shape, mix)
    return out


def shadow_mask(gain: np.ndarray, H: int, W: int) -> np.ndarray:
    """Where light was added: uint8 (H, W), 255 = in shadow.

    Rises from 0 at a quarter stop to 255 at three quarters of a stop; half is half a stop.
    """
    light = luminance(gain).astype(np.float32)
    soft = np.clip((light - 0.25) / 0.5, 0, 1)
    return np.rint(cv2.resize(soft, (W, H), interpolation=cv2.INTER_LINEAR) * 255).astype(np.uint8)
