"""Expected failures of the packages below the app, shown to the user as one line each."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from demo.engine import NotReady
from demo.runs import Crowded
from learnir.images import ImageError


def refusal(message: str) -> gr.Error:
    """A message to the user; nothing of it goes to the log."""
    return gr.Error(html.escape(message), title="Not possible", print_exception=False)


@contextmanager
def failures_shown(remedy: str = "Change the sampler settings.") -> Iterator[None]:
    """Expected failures, shown to the user with what to do: ``remedy`` for a ValueError."""
    try:
        yield
    except gr.Error:  # a ValueError too: it says already what to do
        raise
    except (ImageError, NotReady, Crowded) as error:
        raise refusal(str(error)) from error
    except ValueError as error:
        raise refusal(f"{error}. {remedy}") from error
    except MemoryError as error:
        raise refusal("Out of memory: choose a smaller picture.") from error


@contextmanager
def dataset_failures_shown(names: dict[str, str] | None = None) -> Iterator[None]:
    """Expected failures of the dataset tools, shown to the user; ``names``: see ``renamed``."""
    from dataset_tools.landmarks import LandmarkError
    from dataset_tools.ledger import DatasetError
    from dataset_tools.photos import PhotoError
    from dataset_tools.studio import StudioError

    try:
        yield
    except (StudioError, LandmarkError, DatasetError, PhotoError) as error:
        raise refusal(_first_upper(renamed(str(error), names or {}))) from error


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def renamed(text: str, names: dict[str, str]) -> str:
    """The text with every upload called as its user calls it.

    names: the uploads' own names, by those under which the app has stored them.
    """
    for safe, name in names.items():
        text = text.replace(safe, name)
    return text


@contextmanager
def benchmark_failures_shown() -> Iterator[None]:
    """Expected failures of the benchmark, shown to the user."""
    from benchmarks.names import BenchmarkError

    try:
        yield
    except BenchmarkError as error:
        raise refusal(str(error)) from error
