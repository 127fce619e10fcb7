"""The same photograph twice, turned or mirrored too: thumbnails that correlate almost perfectly.

Aligned portraits all look alike to a perceptual hash, so the correlation of 16 x 16 means of the
whole source photo decides. A hash has a say only where another take of one sitting comes as close:
behind a face the wall is flat, where compression alone turns the signs that a hash consists of.
"""

from __future__ import annotations

import numpy as np

from dataset_tools.facts import Facts

SAME = 0.995  # correlation of 16 x 16 thumbnails, where their hashes agree too
SURELY_SAME = 0.9985  # whatever the hashes say
HASH_DISTANCE = 12  # bits of 240
DIRECTIONS = 16  # of 256, in which thumbnails are searched


def duplicate_clusters(facts: list[Facts]) -> list[list[str]]:
    """Keys that show one photograph, each cluster in key order; singletons left out."""
    usable = sorted((f for f in facts if f.thumb), key=lambda f: f.key)
    if len(usable) < 2:
        return []
    thumbs = np.stack([np.frombuffer(bytes.fromhex(f.thumb), np.uint8) for f in usable])
    clusters: dict[int, list[str]] = {}
    parent = list(range(len(usable)))
    for i, j in _similar(_turned(thumbs.reshape(-1, 16, 16))):
        if i < len(usable):  # two that are turned are compared as they are
            parent[_root(parent, j % len(usable))] = _root(parent, i)
    for index, fact in enumerate(usable):
        clusters.setdefault(_root(parent, index), []).append(fact.key)
    return [keys for keys in clusters.values() if len(keys) > 1]


def _turned(thumbs: np.ndarray) -> np.ndarray:
    """Thumbnails as they are, turned by a quarter and by half a turn, and mirrored: (4 N, 16, 16).

    Three quarters need not be tried: seen from the other of a pair, that is one quarter.
    """
    turned = [np.rot90(thumbs, quarters, (1, 2)) for quarters in range(3)]
    return np.concatenate([*turned, thumbs[:, :, ::-1]])


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _similar(thumbs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of thumbnails (N, 16, 16) that correlate over SURELY_SAME, or over SAME with close
    difference hashes."""
    bits = (thumbs[:, :, 1:] > thumbs[:, :, :-1]).reshape(len(thumbs), -1)
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    length = np.sqrt(np.einsum("nd,nd->n", flat, flat))[:, None]  # norm would copy flat
    flat /= np.maximum(length, 1e-6)
    i, j = _neighbours(flat, np.flatnonzero(length))
    alike = np.einsum("nd,nd->n", flat[i], flat[j])
    close = (bits[i] != bits[j]).sum(1) <= HASH_DISTANCE
    same = (alike >= SURELY_SAME) | ((alike >= SAME) & close)
    return list(zip(i[same].tolist(), j[same].tolist(), strict=True))


def _neighbours(flat: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices i < j, among ``usable``, of all unit vectors (N, D) that may correlate over SAME.

    Such vectors are at most sqrt(2 - 2 SAME) apart, in any projection too: a tree over the
    directions that spread them most finds them without comparing all with all.
    """
    from scipy.spatial import cKDTree

    some = flat[usable[:: max(1, len(usable) // 4096)]]
    _, directions = np.linalg.eigh(some.T @ some)
    tree = cKDTree((flat @ directions[:, -DIRECTIONS:])[usable])
    found = tree.query_pairs(np.sqrt(2 - 2 * SAME) + 1e-3, output_type="ndarray")
    return usable[found[:, 0]], usable[found[:, 1]]
