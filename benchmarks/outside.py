"""Methods that live elsewhere: a folder of pictures, a callable, a command, a Gradio endpoint."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import WITH_MASK
from benchmarks.methods import Method, MethodCard, MethodOptions, mask_of, safe_folder
from benchmarks.names import BenchmarkError, MethodError
from benchmarks.pairs import Pair
from benchmarks.pictures import decode, header
from benchmarks.rerun import without_folders
from dataset_tools.formats import encode_png
from learnir.writing import blamed_on

LOSSLESS = {"PNG", "BMP", "TIFF"}


@dataclass(frozen=True)
class ResultsFolder:
    """Result pictures made elsewhere: KEY.png, lossless (JPEG q95 costs up to 2 dB)."""

    card: MethodCard
    folder: Path

    @classmethod
    def make(cls, rest: str, options: MethodOptions) -> Method:
        folder = safe_folder(rest)
        card = _card(options, folder.resolve().name, "results folder")
        pictures = (("pictures_sha256", _digest(folder)),)
        card = replace(card, settings=pictures, settled=True, runs="before")
        return cls(card, folder)

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        path = self._file(pair.key)
        data = path.read_bytes()
        kind = header(data, str(path))[0]
        if kind not in LOSSLESS:
            raise BenchmarkError(f"{path}: {kind} is lossy; save results as PNG")
        return decode(data, str(path))

    def _file(self, key: str) -> Path:
        for suffix in (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", ".webp"):
            for ending in (suffix, suffix.upper()):
                path = self.folder / f"{key}{ending}"
                if path.is_file():
                    return path
        raise BenchmarkError(f"{self.folder}: no result for {key}; expected {key}.png")


@dataclass(frozen=True)
class CallableMethod:
    """Any Python callable ``module:function``: uint8 RGB (H, W, 3) in and out.

    One with a parameter ``seed`` is given it, and is run for every seed. One with a parameter
    ``mask`` is given the pair's mask, uint8 (H, W), where its row says so.
    """

    card: MethodCard
    function: Callable[[np.ndarray], Any]

    @classmethod
    def make(cls, rest: str, options: MethodOptions) -> Method:
        module, _, name = rest.rpartition(":")
        if not module or not name:
            raise BenchmarkError(f"python:{rest}: write python:module:function")
        function = _imported(module, name)
        takes = _parameters(function)
        _check_mask(options, f"python:{rest}", "parameter mask", "mask" in takes)
        if takes.get("mask") is Parameter.empty and options.mask != WITH_MASK:
            raise BenchmarkError(f"python:{rest}: needs a mask; say --mask '{WITH_MASK}'")
        card = replace(_card(options, name, f"python {rest}"), stochastic="seed" in takes)
        return cls(card, function)

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        options: dict[str, Any] = {"seed": seed} if self.card.stochastic else {}
        if self.card.mask == WITH_MASK:
            options["mask"] = mask_of(pair, self.card)
        try:
            return self.function(pair.input, **options)
        except Exception as error:  # whatever a user's own code raises
            said = f"{self.card.name} on {pair.key}: {_said(error)}"
            raise MethodError(said) from _own_frames(error)


@dataclass(frozen=True)
class CommandMethod:
    """Any command; {input}, {output} and {mask} become PNG paths, {seed} a number. No shell.

    {mask} is the pair's, where the row says so.
    """

    card: MethodCard
    words: tuple[str, ...]
    timeout: float

    @classmethod
    def make(cls, rest: str, options: MethodOptions) -> Method:
        if "{input}" not in rest or "{output}" not in rest:
            raise BenchmarkError(f"exec:{rest}: the command needs {{input}} and {{output}}")
        try:
            words = tuple(shlex.split(rest))
        except ValueError as error:
            raise BenchmarkError(f"--exec {rest}: {error}; close its quotes") from error
        _check_mask(options, f"exec:{rest}", "{mask}", "{mask}" in rest)
        if "{mask}" in rest and options.mask != WITH_MASK:
            raise BenchmarkError(f"exec:{rest}: {{mask}} is filled by --mask '{WITH_MASK}' only")
        card = _card(options, Path(words[0]).name, "command")
        asked = (("command", without_folders(rest)),)
        card = replace(card, stochastic="{seed}" in rest, settings=asked, runs="elsewhere")
        return cls(card, words, options.timeout)

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            paths = {"input": f"{folder}/input.png", "output": f"{folder}/output.png"}
            values = {**paths, "mask": f"{folder}/mask.png", "seed": str(seed)}
            _write(Path(paths["input"]), pair.input)
            if self.card.mask == WITH_MASK:
                _write(Path(values["mask"]), mask_of(pair, self.card))
            self._run([_filled(word, values) for word in self.words], pair.key)
            out = Path(paths["output"])
            if not out.is_file():
                raise BenchmarkError(f"{self.words[0]} on {pair.key}: wrote no {{output}}")
            return decode(out.read_bytes(), f"{self.card.name} on {pair.key}")

    def _run(self, words: list[str], key: str) -> None:
        try:
            status, errors = _finished(words, self.timeout)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BenchmarkError(f"{words[0]} on {key}: {error}{_which(words[0])}") from error
        if status:
            said = errors.decode(errors="replace").strip().splitlines()[-1:]
            failed = f"{words[0]} on {key}: exit {status} {' '.join(said)}"
            raise BenchmarkError(failed + _which(words[0]))


@dataclass(frozen=True)
class GradioMethod:
    """Any Gradio endpoint with one picture in and one out; what it sends is not kept."""

    card: MethodCard
    client: Any
    api_name: str
    received: tempfile.TemporaryDirectory[str]

    @classmethod
    def make(cls, rest: str, options: MethodOptions) -> Method:
        try:
            from gradio_client import Client
        except ImportError as error:
            raise BenchmarkError(
                f"gradio: {error}; in the repository run: pip install -e '.[app]'"
            ) from error
        _check_mask(options, f"gradio:{rest}", "second picture", False)
        address, _, api = rest.partition("#")
        received = tempfile.TemporaryDirectory(prefix="gradio-")
        try:
            client = Client(address, verbose=False, download_files=received.name)
        except Exception as error:  # whatever the network says has the same remedy
            raise BenchmarkError(f"gradio:{address}: no endpoint there ({error})") from error
        card = replace(_card(options, "gradio", f"gradio {rest}"), runs="elsewhere")
        return cls(card, client, f"/{api or 'predict'}", received)

    def restore(self, pair: Pair, seed: int) -> np.ndarray:
        from gradio_client import handle_file

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "input.png"
            _write(path, pair.input)
            try:
                answer = self.client.predict(handle_file(str(path)), api_name=self.api_name)
            except Exception as error:  # the endpoint's own, its queue's or the network's
                said = f"{self.card.name} on {pair.key}: {_said(error)}"
                raise BenchmarkError(said) from error
        out = Path(_first_path(answer))
        data = out.read_bytes()
        if out.is_relative_to(self.received.name):
            out.unlink()
        return decode(data, f"{self.card.name} on {pair.key}")


def _imported(module: str, name: str) -> Callable[[np.ndarray], Any]:
    """A user's function; its module is looked for in the current folder too."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BenchmarkError(f"python:{module}:{name}: cannot be imported ({error})") from error
    except Exception as error:  # the module's own, on its way to being loaded
        said = f"python:{module}:{name}: cannot be imported ({_said(error)})"
        raise MethodError(said) from _own_frames(error)
    if not callable(function):
        raise BenchmarkError(f"python:{module}:{name}: is not a function")
    return function


def _parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """What can be given by name, each with its default (``Parameter.empty`` for none)."""
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    try:
        found = signature(function).parameters.values()
    except ValueError:  # a built-in one that does not say
        return {}
    return {each.name: each.default for each in found if each.kind in named}


def _check_mask(options: MethodOptions, method: str, place: str, takes: bool) -> None:
    """BenchmarkError where the row would name a mask that the method never gets."""
    if options.mask == WITH_MASK and not takes:
        raise BenchmarkError(
            f"{method}: has no {place}, so it is never given what --mask '{WITH_MASK}' says; say "
            "'none', or 'detected' if it finds the shadow itself"
        )


def _said(error: Exception) -> str:
    """Kind and text of an exception."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _own_frames(error: Exception) -> Exception:
    """The exception without the frame of this file in its traceback."""
    trace = error.__traceback__
    return error.with_traceback(trace and trace.tb_next)


def _digest(folder: Path) -> str:
    """One SHA-256 over the names and contents of a folder's files."""
    sha = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        sha.update(f"{path.relative_to(folder).as_posix()} ".encode())
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()[:16]


def _write(path: Path, picture: np.ndarray) -> None:
    """A PNG for the method to read; OSError names it, as of a full /tmp."""
    with blamed_on(path):
        path.write_bytes(encode_png(picture))


def _finished(words: list[str], timeout: float) -> tuple[int, bytes]:
    """Exit status of a command, and what it wrote to stderr.

    Where it takes too long or this process is stopped, whatever it started ends with it: many a
    command is a script around the one that computes.
    """
    piped: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, start_new_session=True, **piped) as process:
        try:
            errors = process.communicate(timeout=timeout)[1]
        except BaseException:
            _kill(process)
            raise
    return process.returncode, errors


def _which(program: str) -> str:
    """Which Python a command's ``python`` is, where that is not the one at work here."""
    found = shutil.which(program)
    if not re.fullmatch(r"python[\d.]*(\.exe)?", program) or _same(found, sys.executable):
        return ""
    is_it = f"is {found}" if found else "is not there"
    return f" ({program} {is_it}; for the one of learnir-bench write {sys.executable})"


def _same(one: str | None, other: str) -> bool:
    """Whether two paths are those of one environment's Python: it is known by its folder."""
    return one is not None and Path(one).parent.resolve() == Path(other).parent.resolve()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that leads a session, and the others of it; on Windows it alone."""
    if hasattr(os, "killpg"):
        with suppress(OSError):  # all of them have just ended
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _first_path(answer: Any) -> str:
    while isinstance(answer, list | tuple) and answer:
        answer = answer[0]
    if isinstance(answer, dict):
        answer = answer.get("path") or answer.get("url")
    if not isinstance(answer, str):
        raise BenchmarkError("gradio: the endpoint returned no picture file")
    return answer


def _card(options: MethodOptions, name: str, source: str) -> MethodCard:
    return MethodCard(
        options.name or name,
        options.mask,
        options.training_data,
        options.source or source,
        settled=False,
    )


OUTSIDE: dict[str, Callable[[str, MethodOptions], Method]] = {
    "results": ResultsFolder.make,
    "python": CallableMethod.make,
    "exec": CommandMethod.make,
    "gradio": GradioMethod.make,
}
