"""Which split a pair belongs to: by the hash of its group, stable however the set grows."""

from __future__ import annotations

import hashlib

SPLITS = ("train", "val", "test")
VAL_SHARE, TEST_SHARE = 0.04, 0.06


def split_of(group: str) -> str:
    """'train', 'val' or 'test' for everything that belongs to ``group`` (one person)."""
    digest = hashlib.blake2b(group.encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < TEST_SHARE:
        return "test"
    return "val" if place < TEST_SHARE + VAL_SHARE else "train"
