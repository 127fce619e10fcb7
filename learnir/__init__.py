"""LearnIR: learnable posterior sampling for real-world image restoration.

    from learnir import LearnIR
    restored = LearnIR.from_pretrained()(image)

Importing the package costs nothing: torch loads when the first heavy name is used.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["LearnIR", "__version__"]

if TYPE_CHECKING:
    from learnir.pipeline import LearnIR


def __getattr__(name: str) -> Any:
    if name == "LearnIR":
        from learnir.pipeline import LearnIR

        return LearnIR
    raise AttributeError(f"module 'learnir' has no attribute {name!r}")
