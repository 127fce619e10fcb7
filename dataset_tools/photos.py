"""Where the portraits come from: folders, globs or a manifest, and decoding one picture safely."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import itertools
import os
import re
import struct
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from learnir.decoding import (
    IMAGE_SUFFIXES,
    OTHER_PICTURES,
    READ_ONLY,
    check_pixels,
    prepare_heic,
    upright_rgb,
)
from learnir.images import ImageError
from learnir.paths import contents

SUFFIXES = IMAGE_SUFFIXES | READ_ONLY | {".bmp"}
NOT_READ = OTHER_PICTURES - SUFFIXES
# what Pillow raises over damaged pixels, headers or EXIF
DAMAGED = (OSError, ValueError, SyntaxError, TypeError, LookupError, AttributeError, struct.error)
PUNCTUATION = " .,;:?!*/_-\u2013\u2014()[]<>\"'"  # around a cell that says nothing
AGREED = ("licence", "identity", "author")  # what two rows of one photo must not contradict
ABOUT = (*AGREED, "source")
NOBODY = re.compile(  # tables that write out that a cell is empty would make one person of many
    r"(unknown|anonymous)( (author|photographer|artist|creator|person|subject|man|woman))?"
    r"|none|null|nan|n/a|n\.a|",
    re.IGNORECASE,
)
DATASET_MARKS = frozenset({"faceshadow.json", ".faceshadow"})  # what a build leaves in its folder


class PhotoError(Exception):
    """A photo or a folder of photos that cannot be used; the message names file and remedy."""


@dataclass(frozen=True)
class Photo:
    """One source photograph and what is known about it; empty strings where nothing is known."""

    key: str  # unique, stable name: the path relative to the photo root, '/'-separated
    path: Path
    licence: str = ""
    identity: str = ""
    source: str = ""
    author: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)  # the manifest's other columns

    @property
    def group(self) -> str:
        """What a split must keep together: the person where known, else the photo."""
        return self.identity or self.key

    @property
    def stem(self) -> str:
        """A file name that is unique and ASCII whatever the original was called."""
        return hashlib.blake2b(self.key.encode(), digest_size=6).hexdigest()


def find_photos(where: str | Path) -> list[Photo]:
    """Photos of a folder (its manifest.csv if it has one), a manifest.csv, a file or a glob."""
    path = Path(where)
    if not str(where).strip():
        raise PhotoError("no photos given; give a folder, a glob or a manifest.csv")
    if not is_text(path):
        raise PhotoError(f"{printable(path)}: name is not UTF-8; rename it")
    if path.is_dir():
        manifest = path / "manifest.csv"
        found = from_manifest(manifest) if manifest.is_file() else _from_folder(path)
    elif path.suffix == ".csv" and path.is_file():
        found = from_manifest(path)
    elif path.is_file():  # before the glob: a name may hold brackets
        found = [_plain(path, path.parent)]
    else:
        found = _from_glob(path)
    if not found and _marked(path):
        raise PhotoError(f"{where}: is a FaceShadow data set, not a folder of photos; give photos")
    if not found:
        raise PhotoError(f"{where}: no photos here; give a folder, a glob or a manifest.csv")
    return found


def is_text(path: Path) -> bool:
    """Whether a name is UTF-8: no table can hold another."""
    return printable(path) == str(path)


def printable(path: Path) -> str:
    """A path to print, bytes that are not UTF-8 as \\x.."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find_all(places: Sequence[str | None]) -> list[Photo]:
    """Photos of several places; with more than one, keys start with the place's own name. None is a
    place that was forgotten since."""
    if len(places) == 1 and places[0] is not None:
        return _unique(find_photos(places[0]))
    found = [
        replace(photo, key=f"{place_name(place)}/{photo.key}")
        for place in places
        if place is not None
        for photo in find_photos(place)
    ]
    return _unique(found)


def place_name(where: str) -> str:
    """A manifest is called after its folder: many are called manifest.csv. So is '.' or '..'."""
    place = Path(where)
    if place.suffix.lower() == ".csv":
        return place.resolve().parent.name
    return (place.resolve() if place.name in ("", "..") else place).stem


def _unique(photos: list[Photo]) -> list[Photo]:
    """Rows that repeat a key are one photo if they name one file, else an error."""
    seen: dict[str, Photo] = {}
    for photo in photos:
        first = seen.setdefault(photo.key, photo)
        if first.path != photo.path:
            raise PhotoError(f"{photo.path} and {first.path}: both are called {photo.key}; rename")
    return list(seen.values())


def _plain(path: Path, root: Path) -> Photo:
    return Photo(key=path.relative_to(root).as_posix(), path=path)


def _from_glob(pattern: Path) -> list[Photo]:
    """Files that match, called by their names; by their paths below the first wildcard where two
    folders hold the same name."""
    fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    paths = [path for path in matches(pattern) if is_text(path)]
    below = {folder for path in paths for folder in path.parents if fixed in folder.parents}
    built = {folder for folder in below if _marked(folder)}
    paths = [path for path in paths if built.isdisjoint(path.parents)]
    unique = _unlike(paths)
    return [_plain(path, path.parent if unique else fixed) for path in paths]


def _unlike(paths: Collection[Path]) -> bool:
    """Whether no two files are called the same."""
    return len({path.name for path in paths}) == len(paths)


def matches(pattern: Path) -> list[Path]:
    """Files that match, in name order; ``**`` stands for folders at any depth."""
    names = set(glob.glob(str(pattern), recursive=True))
    return [path for path in map(Path, sorted(names)) if path.is_file()]


def _marked(folder: Path) -> bool:
    return any((folder / mark).exists() for mark in DATASET_MARKS)


def _from_folder(root: Path) -> list[Photo]:
    return [_plain(path, root) for path in _pictures(root) if is_text(path)]


def _pictures(root: Path) -> Iterator[Path]:
    """Every picture below ``root`` in name order, but for hidden ones: file managers keep deleted
    photos and thumbnails in hidden folders."""
    for folder, folders, names in walk(root, _refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        paths = (folder / name for name in names if not is_hidden(name))
        yield from (path for path in paths if path.suffix.lower() in SUFFIXES)


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def walk(
    root: Path, onerror: Callable[[OSError], None] | None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder below ``root`` with the names of its folders, which may be left out of the list,
    and of its files, in name order; but not of a dataset built there. Links to folders are not
    followed."""
    for folder, folders, names in os.walk(root, followlinks=False, onerror=onerror):
        if any(mark in DATASET_MARKS for mark in (*folders, *names)):
            folders.clear()
            continue
        folders.sort()
        yield Path(folder), folders, sorted(names)


def _refuse(error: OSError) -> None:
    raise PhotoError(
        f"{error.filename}: cannot be listed ({error.strerror}); check its permissions"
    )


def from_manifest(manifest: Path) -> list[Photo]:
    """Rows of a CSV file with a ``path`` column, relative to the file's own folder."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, strict=True)
            names = reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            if "path" not in names:
                raise PhotoError(
                    f"{manifest}: has no 'path' column but {', '.join(names)[:80]!r}; add "
                    "one with the photos' paths, and separate columns by commas"
                )
            rows = [(n := reader.line_num, _row_to_photo(row, manifest, n)) for row in reader]
    except UnicodeDecodeError as error:
        raise PhotoError(f"{manifest}: is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise PhotoError(
            f"{manifest}: is not a CSV file (after line {reader.line_num}: {error}); fix its "
            "quotes, or save it as CSV again"
        ) from error
    return _called(_merged(rows, manifest), manifest.parent)


def _merged(rows: Iterable[tuple[int, Photo]], manifest: Path) -> list[Photo]:
    """One photo a file: rows of one file complete one another. PhotoError where they contradict."""
    found: dict[str, tuple[int, Photo]] = {}
    for line, photo in rows:
        place = os.path.normpath(photo.path)
        first, known = found.get(place, (line, photo))
        for name in AGREED:
            a, b = getattr(known, name).strip(), getattr(photo, name).strip()
            if a and b and a != b:
                raise PhotoError(
                    f"{manifest}: lines {first} and {line}, {photo.key}: {name} is {a!r} and "
                    f"{b!r}; keep one"
                )
        about = {name: getattr(known, name) or getattr(photo, name) for name in ABOUT}
        tags = {**photo.tags, **{name: cell for name, cell in known.tags.items() if cell}}
        found[place] = first, replace(known, **about, tags=tags)
    return [photo for _, photo in found.values()]


def _called(photos: list[Photo], folder: Path) -> list[Photo]:
    """The photos of a manifest, none of them called by an absolute path, which tells where its
    owner keeps files: those in ``folder`` by the path below it, others as those of a glob are."""
    here = Path(os.path.abspath(folder))
    paths = [Path(os.path.normpath(photo.key)) for photo in photos]
    away = [path for path in paths if path.is_absolute() and not path.is_relative_to(here)]
    shared = Path(os.path.commonpath([path.parent for path in away])) if away else here
    unique = _unlike(paths)

    def key(path: Path) -> str:
        if path.is_relative_to(here):
            return path.relative_to(here).as_posix()
        return path.name if unique else path.relative_to(shared).as_posix()

    return [
        replace(photo, key=key(path)) if path.is_absolute() else photo
        for photo, path in zip(photos, paths, strict=True)
    ]


def _row_to_photo(row: dict[str | Any, str | Any], manifest: Path, line: int) -> Photo:
    if any(cell.strip() for cell in row.pop(None, ())):
        raise PhotoError(
            f"{manifest}, line {line}: has more cells than the first line; quote those with commas"
        )
    path = row["path"] or ""
    if not path.strip() or "\0" in path:
        raise PhotoError(f"{manifest}, line {line}: names no file under 'path'; fix the line")
    return Photo(
        key=path,
        path=manifest.parent / path,
        licence=(row.get("licence") or row.get("license") or "").strip(),
        identity=person(row.get("identity_key") or "") or person(row.get("identity") or ""),
        source=(row.get("source") or "").strip(),
        author=person(row.get("author") or ""),
        tags=row,
    )


def person(name: str) -> str:
    """A name as it is compared: neither spaces nor how an accent is encoded tell people apart.
    Empty for what names nobody: 'Unknown', 'n/a', a dash, ..."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    return "" if NOBODY.fullmatch(name.strip(PUNCTUATION)) else name


def read_bytes(path: Path) -> bytes:
    """The file's bytes, or a PhotoError."""
    try:
        return contents(path)
    except OSError as error:
        raise PhotoError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def load_picture(path: Path, longest: int = 1600) -> np.ndarray:
    """Decode to uint8 RGB (H, W, 3), EXIF orientation applied, longest side at most ``longest``."""
    return decode_picture(read_bytes(path), str(path), longest)


def decode_picture(data: bytes, path: str, longest: int = 1600) -> np.ndarray:
    """The same from bytes; ``path`` only names the file in errors."""
    from PIL import Image, UnidentifiedImageError

    try:
        prepare_heic(data, path)
        with Image.open(io.BytesIO(data)) as handle:
            check_pixels(handle, path)
            handle.draft("RGB", (longest, longest))
            picture = Image.fromarray(upright_rgb(handle))
            picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            return np.asarray(picture, dtype=np.uint8)
    except ImageError as error:
        raise PhotoError(str(error)) from error
    except UnidentifiedImageError as error:  # whose text holds a memory address
        raise PhotoError(f"{path}: not a readable picture; replace or remove it") from error
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path}: cannot be decoded ({error}); replace or remove it") from error
