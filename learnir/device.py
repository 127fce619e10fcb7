"""Where a model runs."""

from __future__ import annotations

import torch


def choose_device(device: str | torch.device | None) -> torch.device:
    """The named device, or the best there is; ValueError when this machine does not have it."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).item()  # "meta" holds shapes, no values
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {str(device)!r} is not available here; use 'cpu'") from error
    return chosen
