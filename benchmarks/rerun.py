"""The command that makes a result again, recorded with it, without this machine's folders."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path, PureWindowsPath

FOLDERS = ("dataset", "data_root", "out", "checkpoint")


def command_of(options: argparse.Namespace) -> str:
    """``learnir-bench run`` with the options that differ from their defaults.

    Folders elsewhere on this machine are reduced to their names, and so are absolute paths within a
    command that is the method.
    """
    from benchmarks.arguments import parser

    plain = parser().parse_args(["run", "--dataset", options.dataset])
    words = ["learnir-bench", "run"]
    for name, value in vars(options).items():
        if name == "dataset" or value != vars(plain)[name]:
            words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: object) -> list[str]:
    option = f"--{name.strip('_').replace('_', '-')}"
    if value is True:
        return [option]
    if isinstance(value, list):
        return [option, *map(str, value)]
    return [option, _value(name, str(value))]


def _value(name: str, value: str) -> str:
    if name in FOLDERS:
        return _folder(value)
    if name == "exec_":
        return without_folders(value)
    scheme, colon, rest = value.partition(":")
    if name == "method" and scheme in ("results", "exec"):
        return scheme + colon + (_folder(rest) if scheme == "results" else without_folders(rest))
    return value


def _folder(path: str) -> str:
    """A path below the current folder as it is; only the last part of any other."""
    if _elsewhere(path) or ".." in Path(path).parts:
        return _last(path)
    return path


def without_folders(command: str) -> str:
    """A command with absolute paths reduced to their last parts."""
    try:
        return " ".join(_quoted(_word(word)) for word in shlex.split(command))
    except ValueError:  # quotes that are not closed: the run says so
        return command


def _word(word: str) -> str:
    """The last part of an absolute path, also behind ``--option=``; other words as they are."""
    before, equals, path = word.rpartition("=")
    return before + equals + _last(path) if _elsewhere(path) else word


def _elsewhere(path: str) -> bool:
    return path.startswith(("/", "~")) or PureWindowsPath(path).is_absolute()


def _last(path: str) -> str:
    windows = PureWindowsPath(path)
    name = windows.name if windows.is_absolute() else Path(path).name
    return name if name not in ("", "..") else Path(path).resolve().name


def _quoted(word: str) -> str:
    """Quoted where ``shlex.split`` needs it, and no oftener: {input} stays readable."""
    return shlex.quote(word) if not word or re.search(r"""[\s'"\\]""", word) else word
