"""One picture of random pairs: input, target, mask and, where the photos are at hand, depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset_tools import ledger, sheets, verify
from dataset_tools.formats import decode_png


def preview(out: Path, path: Path, count: int = 48, seed: int = 0, side: int = 192) -> int:
    """Write a contact sheet, .png, .jpg or .webp; the number of pairs on it."""
    sheets.check_name(path)
    photos = {photo.key: photo for photo in verify.source_photos(out)}
    tiles = []
    for shard, rows in verify.sampled(out, count, seed):
        stored = ledger.shard_pictures(out, shard, {row["id"] for row in rows})
        for row in rows:
            again = verify.render_again(out, row, photos.get(row["photo"]))
            pictures = [decode_png(stored[row["id"]][name]) for name in ("shadow", "clean", "mask")]
            if again is not None:
                pictures.append(sheets.depth_tile(again.depth))
            strip = [sheets.square(picture, side) for picture in pictures]
            strip[0] = sheets.caption(strip[0], f"{row['kind']} {row['occluders']}")
            tiles.append(np.hstack(strip))
    if not tiles:
        raise ledger.DatasetError(f"{out}: holds no pairs; build it from other photos")
    widest = max(tile.shape[1] for tile in tiles)
    tiles = [np.pad(t, ((0, 0), (0, widest - t.shape[1]), (0, 0))) for t in tiles]
    sheets.save(path, sheets.sheet(tiles, max(1, min(3, len(tiles)))))
    return len(tiles)
