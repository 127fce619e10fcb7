"""What a run trains and validates on, from the places that ``--data`` and ``--validation`` name."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from learnir.paths import real
from learnir.training.archive import Archive, is_archive, load_archive
from learnir.training.data import NoSplitError, Pair, PairError, manifest_hash, open_pairs
from learnir.training.layers import joined
from learnir.training.presets import TrainConfig
from learnir.training.sources import Pairs, Scenes, Source, Store


@dataclass(frozen=True)
class Inputs:
    """The data of a run.

    Attributes:
        source: where the batches come from.
        held_out: the pairs to validate on; there may be none.
        facts: what a training's record says of the data.
    """

    source: Source
    held_out: Sequence[Pair]
    facts: dict[str, Any]


def open_inputs(
    config: TrainConfig,
    data: Sequence[str | Path],
    validation: str | Path | None,
    device: torch.device,
    limit: int | None,
) -> Inputs:
    """Opens folders of pairs and archives of layers.

    Args:
        data: what is trained on; what is named twice counts twice.
        validation: what is validated on; None is the first of ``data`` that has a val split.
        device: holds the layers.
        limit: take only this many pairs, the first ones.

    Raises PairError, one line, for places that hold no such data.
    """
    if not data:
        raise PairError("--data names nothing; give it folders of pairs or archives of layers")
    opened = {str(path): load_archive(path) for path in data if is_archive(path)}
    archives = [opened[str(path)] for path in data if str(path) in opened]
    layers = joined(archive.layers for archive in archives)
    stores: list[Store] = [Scenes(config, part, device) for part in layers]
    facts: dict[str, Any] = {}
    if archives:
        digests = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in opened]
        facts |= {"scenes": sum(map(len, stores)), "archives_sha256": digests}
    pairs = [pair for path in data for pair in _pairs_of(path, "train", opened)][:limit]
    if limit is not None and not pairs:
        raise PairError("--pairs counts pairs, and the archives of --data hold none to train on")
    if pairs or not archives:
        stores.append(Pairs(config, pairs))
        facts |= {"pairs": len(pairs), "data_sha256": manifest_hash(pairs)}
    source = Source(config, stores)
    if validation is None:
        held_out = _held_out(data, pairs, opened)
    else:
        held_out = _validation(Path(validation), data, opened)
    return Inputs(source, held_out, facts)


def _pairs_of(path: str | Path, split: str, opened: Mapping[str, Archive]) -> Sequence[Pair]:
    """The pairs of a folder or of an opened archive, which may hold none."""
    if not is_archive(path):
        return open_pairs(path, split)
    archive = opened.get(str(path)) or load_archive(path)
    return archive.pairs.get(split, [])


def _held_out(
    data: Sequence[str | Path], pairs: Sequence[Pair], opened: Mapping[str, Archive]
) -> Sequence[Pair]:
    """The first val split of ``data``; without any, training pairs, and a line that says so.

    Nothing where archives hold neither, as those of few people may.
    PairError for a folder without any pairs, or with pairs that lack a partner.
    """
    for place in data:
        try:
            held_out = _pairs_of(place, "val", opened)
        except NoSplitError:
            continue
        if held_out:
            return held_out
    named = ", ".join(map(str, data))
    instead = "validating on training pairs" if pairs else "no scores, no best/ (--validation)"
    print(f"{named}: no val split; {instead}", file=sys.stderr)
    return pairs


def _validation(
    place: Path, data: Sequence[str | Path], opened: Mapping[str, Archive]
) -> Sequence[Pair]:
    """The val split of the place named to validate on, or all of a plain folder of pairs.

    Of a folder that is among ``data`` as well, only its val split is held out. PairError for a
    place without such pairs.
    """
    whole = (place / "input").is_dir() and real(place) not in map(real, map(Path, data))
    held_out = _pairs_of(place, "all" if whole else "val", opened)
    if not held_out:
        raise PairError(f"{place}: holds no pairs to validate on; give another --validation")
    return held_out
