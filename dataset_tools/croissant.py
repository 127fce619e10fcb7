"""The Croissant 1.0 description of a dataset: its files, and how rows are read from them.

A WebDataset has none: the format cannot say that a row is spread over the files of an archive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataset_tools.formats import PICTURES
from dataset_tools.rows import FIELDS
from dataset_tools.splits import SPLITS

FILES = {
    "parquet": ("application/x-parquet", "data/{split}-*.parquet"),
    "imagefolder": ("application/jsonlines", "{split}/metadata.jsonl"),
}
KINDS = {
    "sc:Integer": ("index", "seed", "size"),
    "sc:Boolean": ("relit", "person_only"),
    "sc:Float": (
        *("coverage", "ambient", "tint", "light_azimuth", "light_elevation", "light_radius"),
        *("distance", "penumbra", "yaw", "pitch", "mm_per_pixel", "ita"),
    ),
}  # all others are text
KIND = {name: kind for kind, names in KINDS.items() for name in names}
SPLIT = r"^(?:data/)?(train|val|test)\b.*$"  # of a file's path
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def describe(plan: dict[str, Any], licences: Iterable[str]) -> dict[str, Any] | None:
    """croissant.json of a dataset, from its faceshadow.json; None for a WebDataset."""
    if plan["layout"] not in FILES:
        return None
    kind, pattern = FILES[plan["layout"]]
    fileset = {
        "@type": "cr:FileSet",
        "@id": "rows",
        "name": "rows",
        "encodingFormat": kind,
        "includes": [pattern.format(split=split) for split in SPLITS],
    }
    pictures = _pictures() if plan["layout"] == "parquet" else _picture_files()
    rows = [_column(name, text, KIND.get(name, "sc:Text")) for name, text in FIELDS.items()]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "FaceShadow",
        "description": "Pairs of one face with and without a cast shadow.",
        "version": plan["version"],
        "license": sorted(licences),
        "distribution": [fileset],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "pair",
                "name": "pair",
                "field": [_split(), *pictures, *rows],
            }
        ],
    }


def _split() -> dict[str, Any]:
    source = {"extract": {"fileProperty": "fullpath"}, "transform": {"regex": SPLIT}}
    return _field("split", "train, val or test", "sc:Text", source)


def _pictures() -> list[dict[str, Any]]:
    """A parquet cell is a struct of a PNG file's bytes and its name."""
    return [
        _field(
            name,
            f"the {name} picture",
            "sc:ImageObject",
            {"extract": {"column": name}, "transform": {"jsonPath": "bytes"}},
        )
        for name in PICTURES
    ]


def _picture_files() -> list[dict[str, Any]]:
    """An ImageFolder's table names the pictures."""
    return [
        _column(f"{name}_file_name", f"the {name} picture, below the folder of its split")
        for name in PICTURES
    ]


def _column(name: str, text: str, kind: str = "sc:Text") -> dict[str, Any]:
    return _field(name, text, kind, {"extract": {"column": name}})


def _field(name: str, text: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"pair/{name}",
        "name": name,
        "description": text,
        "dataType": kind,
        "source": {"fileSet": {"@id": "rows"}} | source,
    }
