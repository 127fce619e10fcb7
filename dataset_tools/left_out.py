"""What lies in the given folders and is not taken for a photo: one line for each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dataset_tools.photos import NOT_READ, SUFFIXES, is_hidden, is_text, matches, printable, walk


def left_out(places: Iterable[str]) -> list[str]:
    """Lines to print about pictures in formats that are not read, names that are not UTF-8, hidden
    pictures and linked folders. Where there is a manifest.csv, that says what is a photo, and
    nothing is left out."""
    given = [Path(place) for place in places if place.strip()]
    folders = [p for p in given if p.is_dir() and not (p / "manifest.csv").is_file()]
    seen = [path for folder in folders for path in _files(folder)]
    shown = [path for path, hidden in seen if not hidden]
    kinds = Counter(suffix for path in shown if (suffix := path.suffix.lower()) in NOT_READ)
    named = ", ".join(f"{suffix} {kinds[suffix]}" for suffix in sorted(kinds))
    odd = [path for path in shown if _picture(path) and not is_text(path)]
    odd += [path for p in given if not p.exists() for path in matches(p) if not is_text(path)]
    concealed = [path for path, hidden in seen if hidden and _picture(path)]
    links = [path for folder in folders for path in _links(folder)]
    lines = [
        f"{_count(kinds.total(), 'file')} left out: {named}; convert them to JPEG, PNG or TIFF",
        _line(odd, "file", ", as names are not UTF-8", "rename"),
        _line(concealed, "hidden picture", "", "move them where no name starts with a dot"),
        _line(links, "linked folder", "", "give them as places of their own"),
    ]
    return [line for line in lines if not line.startswith("0 ")]


def _files(root: Path) -> Iterator[tuple[Path, bool]]:
    """Every file below ``root``, and whether it or a folder above it is hidden."""
    for folder, _, names in walk(root, onerror=None):
        below = any(map(is_hidden, folder.relative_to(root).parts))
        yield from ((folder / name, below or is_hidden(name)) for name in names)


def _links(root: Path) -> Iterator[Path]:
    for folder, folders, _ in walk(root, onerror=None):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (folder / name for name in folders if (folder / name).is_symlink())


def _picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _line(paths: Sequence[Path], kind: str, why: str, remedy: str) -> str:
    first = printable(paths[0]) if paths else ""
    return f"{_count(len(paths), kind)} left out{why}: first {first}; {remedy}"


def _count(count: int, kind: str) -> str:
    return f"{count} {kind}{'s' * (count != 1)}"
