"""One row of the dataset: the fields that describe a pair, flat and typed."""

from __future__ import annotations

import json
from typing import Any

from dataset_tools.curation import is_unknown
from dataset_tools.facts import Facts, skin_bin
from dataset_tools.formats import encode_png
from dataset_tools.photos import Photo
from dataset_tools.render import Pair

FIELDS: dict[str, str] = {
    "id": "name of the pair: hash of the photo's key, then the pair's number",
    "photo": "key of the source photo: its path relative to the photo folder",
    "photo_sha256": "SHA-256 of the source file",
    "identity": "the person, as the source names them; pairs of one person share a split",
    "source": "collection the photo comes from",
    "author": "photographer, where known",
    "licence": "licence of the photo as its source states it; 'unknown' where none is stated",
    "index": "number of the pair among its photo's",
    "seed": "seed of the build",
    "size": "side of the pictures, pixels",
    "recipe": "name of the recipe",
    "kind": "occluder, flat, tint, occluder_self, self or none",
    "relit": "the face is relit, in input and target alike",
    "person_only": "the shadow ends at the person",
    "coverage": "share of the skin with less than half of its direct light",
    "ambient": "luminance share of the light that stays in shadow, linear; where a matrix darkens, "
    "what it leaves of grey",
    "tint": "blueness of that light",
    "light_azimuth": "degrees in the picture plane: 0 from the right, -90 from above; as drawn, "
    "so -270 is 90",
    "light_elevation": "degrees above the picture plane, 90 = from the camera",
    "light_radius": "angular radius of the light, degrees",
    "occluders": "what stands in the light, comma-separated",
    "distance": "mm from the face to the nearest occluder, 0 for none and for flat masks",
    "penumbra": "mm (sigma) where the shadow's edge is sharpest: at the point of the face nearest "
    "to the occluder, the softer one of two; 0 for none and for flat masks",
    "yaw": "degrees, in the frame",
    "pitch": "degrees, in the frame",
    "mm_per_pixel": "scale of the frame at the face",
    "ita": "individual typology angle of the source's skin, degrees",
    "skin_tone": "ITA bin: very light, light, intermediate, tan, brown, dark",
    "parameters": "frame, light, look, dye, things put on the face, darkening, layers and noise as "
    "drawn, JSON; shapes and slow variations follow from the seed",
}


def pair_id(photo: Photo, index: int) -> str:
    return f"{photo.stem}-{index:03d}"


def make_row(photo: Photo, facts: Facts, pair: Pair, provenance: dict[str, Any]) -> dict[str, Any]:
    """Row with the encoded pictures and every field of FIELDS; ``provenance`` has index, seed,
    size and recipe."""
    pictures = {"shadow": pair.shadow, "clean": pair.clean, "mask": pair.mask}
    row: dict[str, Any] = {"id": pair_id(photo, provenance["index"])}
    row |= {name: encode_png(picture) for name, picture in pictures.items()}
    row |= {"photo": photo.key, "photo_sha256": facts.sha256, "identity": photo.identity}
    row |= {"source": photo.source, "author": photo.author, "licence": licence_of(photo)}
    return row | provenance | _flat(pair.meta) | _person(facts)


def licence_of(photo: Photo) -> str:
    return "unknown" if is_unknown(photo.licence) else photo.licence


def _person(facts: Facts) -> dict[str, Any]:
    return {"ita": round(facts.ita, 2), "skin_tone": skin_bin(facts.ita)}


def _flat(meta: dict[str, Any]) -> dict[str, Any]:
    light, layers = meta["light"], meta["layers"]
    return {
        "kind": meta["kind"],
        "relit": meta["look"] is not None,
        "person_only": meta["person_only"],
        "coverage": round(meta["coverage"], 5),
        "ambient": meta["ambient"],
        "tint": meta["tint"],
        "light_azimuth": light["azimuth"],
        "light_elevation": light["elevation"],
        "light_radius": light["radius"],
        "occluders": ",".join(layer["name"] for layer in layers if "name" in layer),
        "distance": min((x["distance"] for x in layers if "distance" in x), default=0.0),
        "penumbra": max((x["penumbra"] for x in layers if "penumbra" in x), default=0.0),
        "yaw": meta["yaw"],
        "pitch": meta["pitch"],
        "mm_per_pixel": meta["mm_per_pixel"],
        "parameters": json.dumps(meta, sort_keys=True),
    }
