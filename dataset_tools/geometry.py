"""From 478 landmarks to a depth map and normals in millimetres.

Axes everywhere: x right, y down, z towards the camera (orthographic). A picture is seen as the
front of one surface: the face mesh where it reaches, a head ellipsoid around it, a body behind.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from dataset_tools.gaussian import blur
from dataset_tools.landmarks import (
    CHIN,
    FOREHEAD,
    LEFT_CHEEK,
    LEFT_IRIS,
    RIGHT_CHEEK,
    RIGHT_IRIS,
)

IRIS_DISTANCE_MM = 63.0
MESH_POINTS = 468
STEEPEST = 0.35  # slopes beyond this n.z are the outline and folds: not to be followed


@dataclass(frozen=True)
class Surface:
    """The scene as the camera sees it, on the pixel grid of the rendered picture.

    Attributes:
        depth: float32 (H, W), mm towards the camera.
        normals: (H, W, 3), of length 1.
        face: bool (H, W), where the mesh is.
        skin: float32 (H, W) in [0, 1], the face without eyes and mouth.
        mm: millimetres per pixel.
        centre: (3,), mm, the middle of the face.
    """

    depth: np.ndarray
    normals: np.ndarray
    face: np.ndarray
    skin: np.ndarray
    mm: float
    centre: np.ndarray


@cache
def _connections() -> dict[str, frozenset[tuple[int, int]]]:
    """MediaPipe's edge lists, read from its one pure-Python file without importing the package."""
    package = importlib.util.find_spec("mediapipe")
    if package is None or not package.submodule_search_locations:
        raise ImportError(
            "mediapipe is not installed; in the repository run: pip install -e '.[data]'"
        )
    path = Path(package.submodule_search_locations[0], "python/solutions/face_mesh_connections.py")
    if not path.is_file():
        raise ImportError(f"{path} is missing; install mediapipe 0.10.21, which carries the mesh")
    spec = importlib.util.spec_from_file_location("face_mesh_connections", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {k: v for k, v in vars(module).items() if k.startswith("FACEMESH_")}


@cache
def triangles() -> np.ndarray:
    """(852, 3) int32 vertex indices of the mesh, in a fixed order.

    The tesselation lists edges; a triangle is a 3-cycle. In a surface an edge has at most two
    triangles, so the two cycles whose every edge has three are holes (the nostrils' rims).
    """
    near: dict[int, set[int]] = {}
    for a, b in _connections()["FACEMESH_TESSELATION"]:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    cycles = {(a, b, c) for a in near for b in near[a] if a < b for c in near[a] & near[b] if b < c}
    uses = Counter(edge for cycle in cycles for edge in combinations(cycle, 2))
    kept = [cycle for cycle in cycles if min(uses[e] for e in combinations(cycle, 2)) < 3]
    return _oriented(np.array(sorted(kept), np.int32))


def _oriented(mesh: np.ndarray) -> np.ndarray:
    """Turn triangles so that neighbours run along their common edge in opposite directions."""
    owners: dict[tuple[int, ...], list[int]] = {}
    for index, triangle in enumerate(mesh.tolist()):
        for edge in combinations(sorted(triangle), 2):
            owners.setdefault(edge, []).append(index)
    mesh = mesh.copy()
    seen, queue = {0}, [0]
    while queue:
        index = queue.pop()
        for edge in _edges(mesh[index]):
            for other in owners[tuple(sorted(edge))]:
                if other in seen:
                    continue
                if edge in _edges(mesh[other]):
                    mesh[other] = mesh[other][::-1]
                seen.add(other)
                queue.append(other)
    return mesh


def _edges(triangle: np.ndarray) -> tuple[tuple[int, int], ...]:
    a, b, c = (int(v) for v in triangle)
    return (a, b), (b, c), (c, a)


def millimetres_per_pixel(points: np.ndarray) -> float:
    """63 mm between the iris centres, measured in 3D so that yaw does not shorten it."""
    return IRIS_DISTANCE_MM / float(np.linalg.norm(points[LEFT_IRIS] - points[RIGHT_IRIS]))


def vertex_normals(points: np.ndarray) -> np.ndarray:
    """(468, 3) unit normals: area-weighted mean of the triangles around each vertex, z >= 0."""
    mesh = triangles()
    p = points[:MESH_POINTS]
    facing = np.cross(p[mesh[:, 1]] - p[mesh[:, 0]], p[mesh[:, 2]] - p[mesh[:, 0]])
    if facing[:, 2].sum() < 0:
        facing = -facing
    normals = np.zeros_like(p)
    for corner in range(3):
        np.add.at(normals, mesh[:, corner], facing)
    return unit(normals)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors along the last axis scaled to length 1."""
    length = np.sqrt(np.einsum("...i,...i", vectors, vectors))
    scaled = vectors / np.maximum(length, 1e-9)[..., None]
    return scaled.astype(np.float32, copy=False)


def rasterise(points: np.ndarray, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate per-vertex ``values`` (468, C) over the visible mesh -> (H, W, C); NaN outside.

    Painter's algorithm for visibility (back to front by mean depth), barycentric interpolation.
    """
    height, width = size
    mesh = triangles()
    p = points[:MESH_POINTS].astype(np.float64)
    order = np.argsort(p[mesh, 2].mean(1), kind="stable")
    owner = np.full((height, width), -1, np.int32)
    corners = np.round(p[mesh, :2] * 16).astype(np.int32)
    for index in order:
        cv2.fillConvexPoly(owner, corners[index], (int(index),), cv2.LINE_8, 4)
    rows, columns = np.nonzero(owner >= 0)
    weights = _barycentric(p[mesh, :2], owner[rows, columns], columns, rows)
    out = np.full((height, width, values.shape[1]), np.nan, np.float32)
    out[rows, columns] = np.einsum(
        "nk,nkc->nc", weights, values[mesh[owner[rows, columns]]].astype(np.float64)
    )
    return out


def _barycentric(corners: np.ndarray, index: np.ndarray, x: np.ndarray, y: np.ndarray):
    """Weights (n, 3), none negative, of pixels in the triangles that own them.

    Painting covers pixels up to one beyond an edge: they take the nearest point of the triangle, as
    a sliver seen from the side would carry them away along its length.
    """
    owners, pixels = corners[index], np.stack([x, y], 1).astype(np.float64)
    a, b, c = (owners[:, k] for k in range(3))
    u, v, w = b - a, c - a, pixels - a
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    safe = np.where(np.abs(area) < 1e-9, np.inf, area)
    beta = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / safe
    gamma = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / safe
    weights = np.stack([1 - beta - gamma, beta, gamma], 1)
    outside = (weights < 0).any(1) | np.isinf(safe)
    weights[outside] = _nearest_on_edges(owners[outside], pixels[outside])
    return weights


def _nearest_on_edges(owners: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Barycentric weights (n, 3) of the point of each triangle's outline nearest to its pixel."""
    weights = np.zeros((len(pixels), 3))
    nearest = np.full(len(pixels), np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, along = owners[:, i], owners[:, j] - owners[:, i]
        length = np.maximum(np.einsum("nk,nk->n", along, along), 1e-12)
        t = np.clip(np.einsum("nk,nk->n", pixels - start, along) / length, 0, 1)
        away = np.linalg.norm(start + t[:, None] * along - pixels, axis=1)
        closer = away < nearest
        weights[closer] = 0
        weights[closer, i], weights[closer, j] = 1 - t[closer], t[closer]
        nearest = np.minimum(nearest, away)
    return weights


def head_ellipsoid(
    points: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth (px) and normals of an ellipsoid around the head, and where (bool) it reaches; beyond,
    its depth goes on as that of its outline.

    Axes from the cheeks (width), chin to forehead (height) and their cross product.
    """
    right = points[LEFT_CHEEK] - points[RIGHT_CHEEK]
    up = points[FOREHEAD] - points[CHIN]
    width, height = float(np.linalg.norm(right)), float(np.linalg.norm(up))
    x = right / width
    z = np.cross(x, -up / height)
    z /= np.linalg.norm(z)
    axes = np.stack([x, np.cross(z, x), z])
    radii = np.array([0.56 * width, 0.74 * height, 0.68 * width])
    middle = (points[RIGHT_CHEEK] + points[LEFT_CHEEK]) / 2 + 0.13 * up
    return _quadric(middle, axes, radii, size)


def _quadric(middle, axes, radii, size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Front intersection of rays along z with |diag(1/r) A (X - c)| = 1."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    m = (axes / radii[:, None]).astype(np.float32)
    q = (m.T @ m).astype(np.float32)
    dx, dy = columns - np.float32(middle[0]), rows - np.float32(middle[1])
    b = q[0, 2] * dx + q[1, 2] * dy
    c = q[0, 0] * dx * dx + 2 * q[0, 1] * dx * dy + q[1, 1] * dy * dy - 1
    disc = b * b - q[2, 2] * c
    dz = (-b + np.sqrt(np.maximum(disc, 0))) / q[2, 2]
    normals = np.stack([dx, dy, dz], -1) @ q
    return dz + np.float32(middle[2]), unit(normals), disc >= 0


def surface(points: np.ndarray, size: tuple[int, int]) -> Surface:
    """Depth, normals and regions of the face with these landmarks, on an (H, W) grid."""
    mm = millimetres_per_pixel(points)
    near, mesh_normals = _mesh(points, size)
    face = _fill(points, "FACEMESH_FACE_OVAL", size) > 0
    known = np.isfinite(near)
    depth, back_normals = _continued(points, near, known)
    width = float(np.ptp(points[:MESH_POINTS, 0]))
    normals = _blend_normals(mesh_normals, known, back_normals, 0.03 * width)
    centre = points[[RIGHT_CHEEK, LEFT_CHEEK, 1, 9]].mean(0) * mm
    return Surface(
        depth=(cv2.GaussianBlur(depth, (0, 0), 0.8) * mm).astype(np.float32),
        normals=normals,
        face=face,
        skin=_skin(points, size),
        mm=mm,
        centre=centre.astype(np.float32),
    )


def _mesh(points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Depth (px) and normals of the face, NaN where it is not.

    Flat triangles would make a saw of the smooth edge where light only grazes. With g_i the slope
    of the surface at vertex i, z = sum_i w_i (z_i + g_i (x - x_i) / 2): the middle of flat
    interpolation and that of the tangent planes, which is exact where a surface is quadratic.
    """
    p, normals = points[:MESH_POINTS], vertex_normals(points)
    slopes = -normals[:, :2] / np.maximum(normals[:, 2:], STEEPEST)
    offsets = np.einsum("nk,nk->n", slopes, p[:, :2])
    values = np.concatenate([p[:, 2:3], normals, slopes, offsets[:, None]], 1)
    mesh = rasterise(points, values, size)
    rows, columns = np.indices(size, np.float32)
    bulge = (mesh[..., 4] * columns + mesh[..., 5] * rows - mesh[..., 6]) / 2
    return mesh[..., 0] + bulge, mesh[..., 1:4]


def _continued(
    points: np.ndarray, mesh: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth (px), and normals of what is not mesh: the mesh, a head that goes on from its outline,
    a body behind; all finite.

    The ellipsoid has the shape of a head but not its place: where the mesh ends it is some 15 mm
    in front of it. So all of it moves by what is missing at the outline, nowhere by less: a head
    that comes forward again farther out is a ridge, and throws a shadow back on the forehead.
    """
    head, head_normals, reached = head_ellipsoid(points, (known.shape[0], known.shape[1]))
    outline = known & (cv2.erode(known.astype(np.uint8), np.ones((3, 3))) == 0)
    head += _membrane(np.where(outline, mesh - head, 0), outline)
    lowest = float(mesh[known].min()) if known.any() else np.inf
    body, body_normals = _body(points, known.shape[1], lowest)
    inside = reached & (head > body)
    depth = np.where(known, mesh, np.where(inside, head, body)).astype(np.float32)
    return depth, np.where(inside[..., None], head_normals, body_normals)


def _body(points: np.ndarray, columns: int, lowest: float) -> tuple[np.ndarray, np.ndarray]:
    """A gently curved body, the same in every row: depth (1, W) in px and normals (1, W, 3).

    Never in front of the ``lowest`` point of the face: that of a turned head lies far back.
    """
    width = float(np.linalg.norm(points[LEFT_CHEEK] - points[RIGHT_CHEEK]))
    x = np.arange(columns, dtype=np.float32)[None]
    across = np.clip((x - np.float32(points[CHIN, 0])) / np.float32(1.6 * width), -1, 1)
    depth = min(points[CHIN, 2] - 0.45 * width, lowest) - 0.35 * width * across**2
    normals = np.stack([0.7 * across, np.full_like(across, -0.25), np.ones_like(across)], -1)
    return depth, unit(normals)


def _membrane(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``values`` where ``weight`` is 1, and between and around them a smooth surface through them.

    Pull and push: what is unknown comes from a picture of half the size, and so on.
    """
    weight = weight.astype(np.float32)
    values = values.astype(np.float32)
    if min(values.shape) < 3:
        return np.full_like(values, (values * weight).sum() / max(float(weight.sum()), 1e-6))
    half = (values.shape[1] // 2, values.shape[0] // 2)
    share = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    small = cv2.resize(values * weight, half, interpolation=cv2.INTER_AREA)
    small = _membrane(small / np.maximum(share, 1e-6), np.minimum(4 * share, 1))
    wide = cv2.resize(small, values.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return wide + weight * (values - wide)


def _blend_normals(mesh, known, back, sigma: float) -> np.ndarray:
    """Mesh normals inside, the head's outside, a soft seam between."""
    share = blur(known.astype(np.float32), sigma)[..., None]
    inner = blur(np.nan_to_num(mesh), sigma)
    inner /= np.maximum(share, 1e-3)
    np.copyto(inner, mesh, where=known[..., None])
    mixed = back + np.clip(share * 2 - 0.6, 0, 1) * (inner - back)
    return unit(cv2.GaussianBlur(mixed.astype(np.float32, copy=False), (0, 0), 1))


def _fill(points: np.ndarray, name: str, size: tuple[int, int]) -> np.ndarray:
    """uint8 mask of the hull of one named MediaPipe region."""
    indices = sorted({v for edge in _connections()[name] for v in edge})
    hull = cv2.convexHull(np.round(points[indices, :2] * 16).astype(np.int32))
    mask = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(mask, hull, (255,), cv2.LINE_AA, 4)
    return mask


def _skin(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Face oval without eyes, lips and brows, feathered; float32 [0, 1]."""
    skin = _fill(points, "FACEMESH_FACE_OVAL", size)
    for name in ("LEFT_EYE", "RIGHT_EYE", "LIPS", "LEFT_EYEBROW", "RIGHT_EYEBROW"):
        skin = np.minimum(skin, 255 - _fill(points, f"FACEMESH_{name}", size))
    return cv2.GaussianBlur(skin, (0, 0), 1.0).astype(np.float32) / 255
