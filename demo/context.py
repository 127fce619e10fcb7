"""What the tabs and endpoints share: options, the model, the latest results, the runs under way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from demo.cache import Cache
from demo.engine import Engine, Settings
from demo.options import Options
from demo.photos import Photo
from demo.runs import Cancellations
from demo.storage import AGE_S
from demo.views import Score
from learnir.restoration import STRONGEST, Restoration

RESULTS_BYTES = 768 << 20


@dataclass(frozen=True)
class Kept:
    """A result that its page may still re-blend, show and save."""

    path: str
    """The upload's."""
    photo: Photo
    restoration: Restoration
    settings: Settings
    factor: np.ndarray | None = None
    """What the strength is multiplied by, float32 (h, w), where it differs from place to place."""
    scored: dict[tuple[str, float], list[Score]] = field(default_factory=dict)
    """What was scored already, by the path of the ground truth and strength: every page opens with
    the same result.
    """

    def at_strength(self, strength: float) -> np.ndarray:
        """The picture at any strength, uint8 or uint16 RGB (H, W, 3)."""
        if self.factor is not None:
            return self.restoration.at_strength(np.minimum(strength * self.factor, STRONGEST))
        same = strength == self.settings.strength
        return self.restoration.picture if same else self.restoration.at_strength(strength)

    @property
    def bytes(self) -> int:
        """Memory it holds, roughly."""
        return 3 * self.restoration.picture.nbytes + self.restoration.gain.nbytes


@dataclass(frozen=True)
class Context:
    """Made once, given to every tab."""

    options: Options
    engine: Engine
    results: Cache[Kept] = field(
        default_factory=lambda: Cache(RESULTS_BYTES, lambda kept: kept.bytes, AGE_S)
    )
    runs: Cancellations = field(default_factory=Cancellations)
    """Runs of the pages."""
    calls: Cancellations = field(default_factory=Cancellations)
    """Runs of the endpoints that take files."""
