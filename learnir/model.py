"""The model: a denoiser, what it predicts, its process and, perhaps, a correction branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from learnir.config import ModelConfig
from learnir.names import look_up
from learnir.networks import NETWORKS, Corrector, folded
from learnir.posterior import correction_named
from learnir.process import PREDICTIONS, Latent
from learnir.resolution import Scales, check_scales, resolve_scales
from learnir.sampler import Noise, ResidualEstimator, sample
from learnir.schedule import Schedule, make_schedule, schedule_with_steps

DEFAULT_WEIGHTS = {"paper": 0.25}
"""w of a correction that is not the config's own, where it is not 1: at 1 this one cancels the
network.
"""


class LearnIRModel(nn.Module):
    """Denoiser and correction branch with the process they were trained for.

    The module implements what the sampler asks for (``residual``, ``refine``); ``sample`` runs it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = make_schedule(config.schedule, config.T)
        self.scales: Scales = check_scales(config.scales, self.schedule.T_prime)
        self.prediction = look_up("prediction type", config.prediction, PREDICTIONS)
        correction_named(config.correction)
        network = look_up("network", config.network, NETWORKS)
        self.denoiser: nn.Module = network(**config.network_args)
        self.corrector = None if config.corrector is None else Corrector(**config.corrector)
        if config.correction == "learned" and self.corrector is None:
            raise ValueError("correction 'learned' needs a correction branch; use 'exact'")

    def schedule_for(self, steps: int | None = None, name: str | None = None) -> Schedule:
        """The schedule to sample with: the config's, or the named one with T' = ``steps``.

        Raises ValueError for a name or a number of steps that there is no schedule for.
        """
        same_name = name in (None, self.config.schedule)
        if same_name and steps in (None, self.schedule.T_prime):
            return self.schedule
        steps = self.schedule.T_prime if steps is None else steps
        return schedule_with_steps(name or self.config.schedule, steps)

    def scales_for(
        self,
        scales: Sequence[int] | str | None = None,
        steps: int | None = None,
        schedule: str | None = None,
    ) -> Scales:
        """s(1..T') to sample with: the given ones, "fixed" or "drm"; None is the model's own.

        Raises ValueError for scales that do not fit the schedule, and as ``schedule_for`` does.
        """
        return resolve_scales(scales, self.schedule_for(steps, schedule).T_prime, self.scales)

    def output(self, z_t: Latent, z_y: Latent, t: int, schedule: Schedule) -> Latent:
        """The denoiser's output at step t: R, z_0 or eps_res, by its prediction type."""
        return self.denoiser((z_t, z_y), _level(z_t, t, schedule)).to(z_t.dtype)

    def residual(self, z_t: Latent, z_y: Latent, t: int, schedule: Schedule) -> Latent:
        """R_hat at step t."""
        return self.prediction.residual(self.output(z_t, z_y, t, schedule), z_t, z_y, t, schedule)

    def correction(
        self, z_t: Latent, z_y: Latent, R: Latent, t: int, schedule: Schedule
    ) -> tuple[Latent, Latent | None]:
        """g(z_t, z_y, z_0_hat, t) of the correction branch, and its log variance if it has one."""
        if self.corrector is None:
            raise ValueError("this checkpoint has no correction branch; use correction 'exact'")
        out = self.corrector((z_t, z_y, z_y - R), _level(z_t, t, schedule)).to(z_t.dtype)
        return (out[:, :3], out[:, 3:]) if self.corrector.variance else (out, None)

    def refine(
        self, z_t: Latent, z_y: Latent, R: Latent, t: int, schedule: Schedule
    ) -> tuple[Latent, Latent | None]:
        """R_hat + g, and the standard deviation of g where the branch predicts one."""
        g, log_variance = self.correction(z_t, z_y, R, t, schedule)
        return R + g, None if log_variance is None else torch.exp(0.5 * log_variance)

    def folded(self) -> LearnIRModel:
        """A copy for restoring alone: the same pictures in less time, see ``networks.folded``."""
        model = deepcopy(self)
        model.denoiser = folded(model.denoiser)
        return model.eval()

    def weight_of(self, correction: str | None) -> float:
        """The default w of a correction: the config's for its own, else DEFAULT_WEIGHTS' or 1."""
        if correction in (None, self.config.correction):
            return self.config.weight
        return DEFAULT_WEIGHTS.get(str(correction), 1.0)

    def sample(
        self,
        y: Latent,
        *,
        steps: int | None = None,
        schedule: str | None = None,
        scales: Sequence[int] | str | None = None,
        correction: str | None = None,
        weight: float | None = None,
        eta: float | None = None,
        mirror: bool | None = None,
        generator: torch.Generator | None = None,
        noise: Noise | None = None,
        callback: Callable[[int, Latent], None] | None = None,
    ) -> Latent:
        """The restored pictures for observed ones (B, 3, H, W), signed; None is the config's value.

        Args:
            steps: sampling steps T'; for another number than the config's, T is chosen to match.
            schedule: "linear" or "cosine".
            scales: s(1..T'), "fixed" or "drm".
            mirror: at the last step, see ``MirrorMean``.
            weight: w of the correction; None: see ``weight_of``.
        """
        config = self.config
        mirror = config.mirror if mirror is None else mirror
        return sample(
            MirrorMean(self) if mirror else self,
            y,
            self.schedule_for(steps, schedule),
            scales=self.scales_for(scales, steps, schedule),
            correction=config.correction if correction is None else correction,
            weight=self.weight_of(correction) if weight is None else weight,
            eta=config.eta if eta is None else eta,
            generator=generator,
            noise=noise,
            callback=callback,
        )


@dataclass(frozen=True)
class MirrorMean:
    """An estimator that, at t = 1, averages R_hat of the latent and of its mirror image.

    Self-ensembling, but of the last step alone: that brings most of what averaging two whole
    restorations would.
    """

    model: ResidualEstimator

    def residual(self, z_t: Latent, z_y: Latent, t: int, schedule: Schedule) -> Latent:
        """R_hat at the resolution of ``z_t``."""
        if t > 1:
            return self.model.residual(z_t, z_y, t, schedule)
        R, mirrored = self.model.residual(_both(z_t), _both(z_y), t, schedule).chunk(2)
        return (R + mirrored.flip(-1)) / 2

    def refine(
        self, z_t: Latent, z_y: Latent, R: Latent, t: int, schedule: Schedule
    ) -> tuple[Latent, Latent | None]:
        """The model's own."""
        return self.model.refine(z_t, z_y, R, t, schedule)


def _both(z: Latent) -> Latent:
    """Latents and their mirror images, as one batch."""
    return torch.cat([z, z.flip(-1)])


def _level(z_t: Tensor, t: int, schedule: Schedule) -> Tensor:
    """a_t, (1,): a batch is at one step."""
    return torch.full((1,), schedule.a[t], device=z_t.device, dtype=torch.float32)
