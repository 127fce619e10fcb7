"""The same photograph twice: equal bytes, or thumbnails that correlate almost perfectly.

Aligned portraits all look alike to a perceptual hash, so the hash only proposes (16 x 16 means of
the whole source photo) and the correlation decides.
"""

from __future__ import annotations

import numpy as np

from dataset_tools.facts import Facts

SAME = 0.995  # correlation of 16 x 16 thumbnails
HASH_DISTANCE = 12  # bits of 240


def duplicate_clusters(facts: list[Facts]) -> list[list[str]]:
    """Keys that show one photograph, each cluster in key order; singletons left out."""
    usable = sorted((f for f in facts if f.thumb), key=lambda f: f.key)
    if len(usable) < 2:
        return []
    thumbs = np.stack([np.frombuffer(bytes.fromhex(f.thumb), np.uint8) for f in usable])
    clusters: dict[int, list[str]] = {}
    parent = list(range(len(usable)))
    for i, j in _similar(thumbs.reshape(-1, 16, 16)):
        parent[_root(parent, j)] = _root(parent, i)
    for index, fact in enumerate(usable):
        clusters.setdefault(_root(parent, index), []).append(fact.key)
    return [keys for keys in clusters.values() if len(keys) > 1]


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _similar(thumbs: np.ndarray, block: int = 1024) -> list[tuple[int, int]]:
    """Pairs of thumbnails (N, 16, 16) with close difference hashes and correlation over SAME."""
    bits = (np.diff(thumbs.astype(np.int16), axis=2) > 0).reshape(len(thumbs), -1)
    signs = bits.astype(np.float32) * 2 - 1
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    agree = signs.shape[1] - 2 * HASH_DISTANCE
    found = []
    for start in range(0, len(thumbs), block):
        close = signs[start : start + block] @ signs.T >= agree
        alike = flat[start : start + block] @ flat.T >= SAME
        for i, j in zip(*np.nonzero(close & alike), strict=True):
            if start + i < j:
                found.append((start + int(i), int(j)))
    return found
