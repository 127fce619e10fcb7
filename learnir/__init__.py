"""LearnIR: learnable posterior sampling for real-world image restoration.

    from learnir import LearnIR
    restored = LearnIR.from_pretrained()(image)

Importing the package costs nothing: torch loads when the first heavy name is used.
"""

import getpass
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["LearnIR", "__version__"]

if TYPE_CHECKING:
    from learnir.pipeline import LearnIR


def _name_the_user() -> None:
    """A container may run under a number that belongs to nobody, and torch's compiler, which LPIPS,
    exports and training load, fails without a name for its cache."""
    try:
        getpass.getuser()
    except (KeyError, ImportError, OSError):  # by version and system
        os.environ["USER"] = "learnir"


_name_the_user()


def __getattr__(name: str) -> Any:
    if name == "LearnIR":
        from learnir.pipeline import LearnIR

        return LearnIR
    raise AttributeError(f"module 'learnir' has no attribute {name!r}")
