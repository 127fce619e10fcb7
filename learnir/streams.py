"""Metadata of a video: title, date, place, chapters, languages of its sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

OF_THE_CONTAINER = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
ISO = frozenset({".mp4", ".m4v", ".mov"})  # the suffixes of one family of formats
OF_A_STREAM = ("language", "title", "handler_name")  # by which some programs title MP4


def open_writer(av: Any, reader: Any, part: Path, suffix: str, strip: bool) -> Any:
    """Opens a video for writing at ``part``: tags and chapters of ``reader``, no streams yet.

    Args:
        suffix: that of the target, such as ``.mp4``, which fixes the format.
        strip: leave out the tags and the titles of chapters.
    """
    tags, chapters = reader.metadata, reader.chapters()
    if strip:
        tags, chapters = {}, [{**one, "metadata": {}} for one in chapters]
    tags = {k: v for k, v in tags.items() if k.lower() not in OF_THE_CONTAINER}
    writer = av.open(str(part), "w", options=_options(tags, suffix))
    writer.metadata.update(tags)
    writer.set_chapters(chapters)
    return writer


def copy_tags(out: Any, stream: Any, titles: Mapping[int, str], strip: bool) -> None:
    """Gives the written stream ``out`` the language, title and role of a source's ``stream``.

    Args:
        titles: of ``titles_of``.
        strip: the language and role alone.
    """
    tags = {"title": titles[stream.index]} if stream.index in titles else {}
    tags |= {name: stream.metadata[name] for name in OF_A_STREAM if name in stream.metadata}
    out.metadata.update({k: v for k, v in tags.items() if k == "language" or not strip})
    out.disposition = stream.disposition.value


def titles_of(av: Any, source: Path) -> dict[int, str]:
    """Titles of an MP4's streams by their index, which FFmpeg gives only together with raw tags."""
    options = {"export_all": "1"}
    with av.open(str(source), options=options, metadata_errors="replace") as reader:
        return {s.index: s.metadata["name"] for s in reader.streams if "name" in s.metadata}


def is_sound(stream: Any) -> bool:
    """Whether it can be copied: PyAV cannot, where FFmpeg does not know the kind of sound."""
    return stream.type == "audio" and stream.codec_context is not None


def left_out(reader: Any) -> int:
    """Streams that are neither the pictures, nor sound, nor the list of chapters of an MP4."""
    chapters = len(reader.chapters())
    kept = [
        s
        for s in reader.streams
        if is_sound(s) or (s.type == "data" and chapters and s.frames == chapters)
    ]
    return len(reader.streams) - 1 - len(kept)


def _options(tags: Mapping[str, str], suffix: str) -> dict[str, str]:
    """Options of the writer that keep tags with names like com.apple.quicktime.make.

    Only where there are any, as with these options titles go where few players look for them.
    """
    reverse_domain = suffix in ISO and any("." in name for name in tags)
    return {"movflags": "use_metadata_tags"} if reverse_domain else {}
