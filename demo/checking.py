"""What the arguments of the endpoints may be; one line to the client for what they may not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self

import gradio as gr
from gradio.data_classes import FileData, ListFiles
from pydantic import ConfigDict, ValidationError

from demo.failures import refusal

MOST_SEED = 2**31 - 1
"""Seeds are from 0 to this."""


class Argument(Protocol):
    """A kind of argument; None stands for ``default``."""

    @property
    def default(self) -> Any: ...

    def schema(self) -> dict[str, Any]:
        """As JSON schema, for the documentation and for MCP."""

    def wanted(self) -> str:
        """What it has to be, in words."""

    def fits(self, value: Any) -> bool:
        """Whether ``value`` is that."""


@dataclass(frozen=True)
class Number:
    """A number from low to high, both allowed."""

    low: float
    high: float
    default: float

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.low, "maximum": self.high}

    def wanted(self) -> str:
        return f"a number from {self.low} to {self.high}"

    def fits(self, value: Any) -> bool:
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return known and self.low <= value <= self.high


@dataclass(frozen=True)
class Whole(Number):
    """A whole number from low to high."""

    def schema(self) -> dict[str, Any]:
        return super().schema() | {"type": "integer"}

    def wanted(self) -> str:
        return f"a whole {super().wanted().removeprefix('a ')}"

    def fits(self, value: Any) -> bool:
        return super().fits(value) and value == int(value)


@dataclass(frozen=True)
class Text:
    """Any text."""

    default: str

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def wanted(self) -> str:
        return "a text"

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True)
class Choice:
    """One of some texts."""

    options: Sequence[str]
    default: str

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}

    def wanted(self) -> str:
        return f"one of {', '.join(self.options)}"

    def fits(self, value: Any) -> bool:
        return value in self.options


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def wanted(self) -> str:
        return "true or false"

    def fits(self, value: Any) -> bool:
        return isinstance(value, bool)


SEED = Whole(0, MOST_SEED, 0)


def checked(name: str, kind: Argument, value: Any) -> Any:
    """``value``, or the default for None. Raises gr.Error with one line where it does not fit."""
    if value is None:
        return kind.default
    if not kind.fits(value):
        raise refusal(f"{name}: {kind.wanted()}, not {_short(value)}.")
    return value


def one_upload(name: str) -> type[FileData]:
    """What ``gr.File`` takes for the argument ``name``: an upload, or one line to the client.

    Gradio reads what it was sent by this; its own model of it would tell a client nothing.
    """

    class Upload(FileData):
        model_config = ConfigDict(title=FileData.__name__)

        @classmethod
        def model_validate(cls, obj: Any, **options: Any) -> Self:
            with _asking(f'{name}: give a file, handle_file("photo.jpg")'):
                return super().model_validate(obj, **options)

    return Upload


def some_uploads(name: str) -> type[ListFiles]:
    """The same for a list of them."""

    class Uploads(ListFiles):
        model_config = ConfigDict(title=ListFiles.__name__)

        @classmethod
        def model_validate(cls, obj: Any, **options: Any) -> Self:
            with _asking(f'{name}: give a list of files, [handle_file("photo.jpg"), ...]'):
                return super().model_validate(obj, **options)

    return Uploads


@contextmanager
def _asking(message: str) -> Iterator[None]:
    try:
        yield
    except ValidationError:
        raise gr.Error(message, title="Not possible", print_exception=False) from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
