"""Mesh, depth, normals and pose against things that can be worked out by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest

from dataset_tools import pose
from dataset_tools.frame import Frame, draw_frame, sharpen, warp_landmarks, warp_picture
from dataset_tools.gaussian import blur
from dataset_tools.geometry import (
    CHIN,
    FOREHEAD,
    IRIS_DISTANCE_MM,
    LEFT_CHEEK,
    MESH_POINTS,
    RIGHT_CHEEK,
    _membrane,
    head_ellipsoid,
    millimetres_per_pixel,
    rasterise,
    surface,
    triangles,
    unit,
    vertex_normals,
)
from dataset_tools.landmarks import LandmarkError, check_order
from dataset_tools.light import GRAZING, Light, attached_shadow, self_shadow


def test_mesh_is_an_oriented_surface_of_852_triangles():
    mesh = triangles()
    assert mesh.shape == (852, 3)
    assert set(mesh.ravel()) == set(range(MESH_POINTS))
    edges = Counter(tuple(sorted(e)) for t in mesh.tolist() for e in combinations(t, 2))
    assert max(edges.values()) == 2
    directed = Counter(e for a, b, c in mesh.tolist() for e in ((a, b), (b, c), (c, a)))
    assert max(directed.values()) == 1


def test_rasterise_reproduces_a_linear_function(face):
    values = face.points[:MESH_POINTS] @ np.array([[0.3], [-0.7], [0.0]]) + 5
    image = rasterise(face.points, values, (512, 512))[..., 0]
    rows, columns = np.nonzero(np.isfinite(image))
    expected = 0.3 * columns - 0.7 * rows + 5
    assert len(rows) > 5000
    error = np.abs(image[rows, columns] - expected)
    assert np.percentile(error, 80) < 0.1
    assert error.max() < 1  # painting reaches about a pixel beyond an edge; the slope is 0.76


@pytest.mark.parametrize("yaw", [-40, 40])
def test_what_is_nearer_hides_what_is_behind(turned, face, yaw):
    """A turned face, whose nose is before its cheek, against the nearest of all triangles."""
    points = turned(face, yaw, 0).points
    points[:, :2] += 64 - points[:MESH_POINTS, :2].mean(0)
    drawn = rasterise(points, points[:MESH_POINTS, 2:], (128, 128))[..., 0]
    rows, columns = (place[::20] for place in np.nonzero(np.isfinite(drawn)))
    corners = points[triangles()].astype(float)[:, None]
    at = np.stack([columns, rows], -1)
    shares = np.stack(
        [np.linalg.det(np.stack([corners[..., b, :2] - at, corners[..., c, :2] - at], -1))
         for b, c in ((1, 2), (2, 0), (0, 1))], -1,
    )  # fmt: skip
    shares /= shares.sum(-1, keepdims=True)
    depth = np.where((shares >= 0).all(-1), (shares * corners[..., 2]).sum(-1), -np.inf).max(0)
    inside = np.isfinite(depth)  # painting reaches a little beyond
    assert inside.sum() > 200
    assert (np.abs(drawn[rows, columns] - depth)[inside] < 1).mean() > 0.97


def test_skin_is_the_face_without_eyes_lips_and_brows(face):
    skin = surface(face.points, (512, 512)).skin
    middles = {
        name: face.points[list(vertices), :2].mean(0).astype(int)
        for name, vertices in {
            "right eye": (33, 133), "left eye": (362, 263), "lips": (0, 17),
            "right brow": (52, 65), "left brow": (282, 295),
            "forehead": (9, 10), "right cheek": (50, 205), "left cheek": (280, 425),
        }.items()
    }  # fmt: skip
    for name, (x, y) in middles.items():
        wanted = float("cheek" in name or name == "forehead")
        assert skin[y, x] == pytest.approx(wanted, abs=0.1), name


def test_the_surface_of_a_mirrored_face_is_the_mirrored_surface(turned, face):
    points = turned(face, 20, 10).points * 0.5
    mirrored = points * np.float32([-1, 1, 1]) + np.float32([255, 0, 0])
    scene, other = surface(points, (256, 256)), surface(mirrored, (256, 256))
    assert np.abs(other.depth[:, ::-1] - scene.depth)[scene.face].mean() < 0.2
    back = other.normals[:, ::-1] * np.float32([-1, 1, 1])
    assert np.abs(back - scene.normals)[scene.face].mean() < 0.01


def test_pixels_beyond_a_sliver_take_its_nearest_point():
    from dataset_tools.geometry import _barycentric

    sliver = np.array([[[0, 0], [40, 0.001], [20, 0.0]]], np.float64)
    x, y = np.array([3.0, 30.0, 45.0, 20.0]), np.array([0.6, -0.7, 0.0, 0.0005])
    weights = _barycentric(sliver, np.zeros(4, int), x, y)
    assert weights.min() >= 0
    assert np.allclose(weights.sum(1), 1)
    assert np.allclose((weights @ sliver[0])[:, 0], [3, 30, 40, 20], atol=0.01)


def test_scale_does_not_depend_on_yaw(turned, face):
    straight = millimetres_per_pixel(face.points)
    assert straight * np.linalg.norm(face.points[473] - face.points[468]) == pytest.approx(
        IRIS_DISTANCE_MM, rel=1e-5
    )
    assert millimetres_per_pixel(turned(face, 30, 0).points) == pytest.approx(straight, rel=1e-3)


@pytest.mark.parametrize("angle", [-30, -10, 15, 30])
def test_pose_follows_a_turned_head(turned, face, angle):
    # to turn by a positive angle moves the picture's right cheek, or the forehead, away
    change = pose.yaw(turned(face, angle, 0).points) - pose.yaw(face.points)
    assert change == pytest.approx(-angle, abs=1.5)
    nod = pose.pitch(turned(face, 0, angle).points) - pose.pitch(face.points)
    assert nod == pytest.approx(-angle, abs=1.5)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    clockwise = face.points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    assert pose.roll(clockwise) - pose.roll(face.points) == pytest.approx(angle, abs=1.5)


def test_yaw_is_that_of_the_picture_also_when_mirrored(turned, face):
    head = turned(face, 20, 0)
    mirrored = replace(head, points=head.points * np.float32([-1, 1, 1]) + np.float32([512, 0, 0]))
    assert abs(pose.yaw(head.points)) > 10
    assert pose.yaw(mirrored.points) == pytest.approx(-pose.yaw(head.points), abs=1e-3)


def test_surface_is_finite_and_faces_the_camera(face):
    scene = surface(face.points, (512, 512))
    assert np.isfinite(scene.depth).all()
    assert np.isfinite(scene.normals).all()
    assert np.allclose(np.linalg.norm(scene.normals, axis=-1), 1, atol=1e-4)
    nose = face.points[1].astype(int)
    cheek = face.points[234].astype(int)
    assert scene.depth[nose[1], nose[0]] > scene.depth[cheek[1], cheek[0]] + 20
    assert scene.normals[scene.face][:, 2].mean() > 0.6
    assert 100 < np.ptp(scene.depth) < 300  # a head and what is behind it, in mm


def egg(face):
    """The face's landmarks on an ellipsoid, and the closed form of its depth (mm) and normals."""
    p = face.points
    mm = millimetres_per_pixel(p)
    middle = p[:MESH_POINTS, :2].mean(0)
    radii = np.array([0.56, 0.72, 0.55]) * np.ptp(p[:MESH_POINTS, 0]) * [1, 1.3, 1]
    axes = 1 / radii[:2]

    def depth(x, y):
        inside = 1 - ((x - middle[0]) * axes[0]) ** 2 - ((y - middle[1]) * axes[1]) ** 2
        return radii[2] * np.sqrt(np.maximum(inside, 0))

    points = p.copy()
    points[:, 2] = depth(p[:, 0], p[:, 1])
    mm *= np.linalg.norm(p[473] - p[468]) / np.linalg.norm(points[473] - points[468])
    rows, columns = np.indices((512, 512), np.float32)
    z = depth(columns, rows)
    away = np.stack([(columns - middle[0]) * axes[0] ** 2, (rows - middle[1]) * axes[1] ** 2], -1)
    normals = np.concatenate([away, (z / radii[2] ** 2)[..., None]], -1)
    return points, z * mm, normals / np.maximum(np.linalg.norm(normals, axis=-1), 1e-9)[..., None]


@pytest.mark.parametrize("azimuth", [-90, -130, -40, 180, 0])
@pytest.mark.parametrize("elevation", [20, 35])
def test_a_convex_head_is_in_shadow_where_it_faces_away_and_nowhere_else(face, azimuth, elevation):
    points, _, normals = egg(face)
    scene = surface(points, (512, 512))
    light = Light(azimuth, elevation, 0.27)
    skin = cv2.erode(scene.skin, np.ones((5, 5))) > 0.99
    cosine, visible = normals @ light.direction, self_shadow(scene.depth, scene.mm, light)
    assert (cosine[skin] > 0.1).mean() > 0.6
    assert visible[skin & (cosine > 0.1)].min() > 0.99
    lit, wanted = visible * attached_shadow(scene.normals, light), np.clip(cosine / GRAZING, 0, 1)
    assert np.abs(lit - wanted)[skin].max() < 0.25
    assert np.abs(lit - wanted)[skin].mean() < 0.02


def test_the_face_is_as_round_as_the_surface_its_vertices_lie_on(face):
    points, depth, _ = egg(face)
    scene = surface(points, (512, 512))
    inner = cv2.erode(scene.skin, np.ones((25, 25))) > 0.99
    assert np.abs(scene.depth - depth)[inner].max() < 0.25  # flat triangles: 0.8


@pytest.mark.parametrize("yaw", [0, 20])
def test_the_head_goes_on_from_where_the_mesh_ends(turned, face, yaw):
    """From the forehead outward the surface falls: no step at the seam, no ridge beyond it."""
    points = turned(face, yaw, 0).points
    scene = surface(points, (512, 512))
    middle = points[9, :2]
    for vertex in (10, 67, 109, 297, 338):  # the upper outline
        out = points[vertex, :2] - middle
        t = 1 + np.arange(-8, 15, 1.0) / scene.mm / np.hypot(*out)
        x, y = (middle[:, None] + out[:, None] * t).astype(np.float32)
        fall = np.diff(cv2.remap(scene.depth, x[None], y[None], cv2.INTER_LINEAR)[0])
        assert fall.max() < 0.2
        assert np.diff(fall).min() > -1.0


def test_nothing_of_the_face_lies_behind_the_body(turned, face):
    for yaw in (-35, 0, 35):
        points = turned(face, yaw, 0).points
        scene = surface(points, (512, 512))
        beside = scene.depth[int(points[1, 1]), [2, -2]]
        assert beside.max() <= scene.depth[scene.skin > 0.9].min() + 1


def test_a_membrane_keeps_what_is_known_and_stays_between():
    rng = np.random.default_rng(0)
    values = rng.uniform(-3, 5, (70, 53)).astype(np.float32)
    known = rng.random(values.shape) < 0.1
    filled = _membrane(values, known)
    assert np.allclose(filled[known], values[known], atol=1e-5)
    assert filled.min() >= values[known].min() - 1e-4
    assert filled.max() <= values[known].max() + 1e-4
    assert np.allclose(_membrane(np.full((70, 53), 4.0), known), 4, atol=1e-4)


def test_normals_point_left_on_the_left_cheek(face):
    normals = vertex_normals(face.points)
    assert normals[50, 0] < -0.1 < 0.1 < normals[280, 0]


def test_frame_keeps_landmarks_on_the_picture(face, astronaut):
    frame = draw_frame(np.random.default_rng(3), face, (512, 512), 256, (0.6, 0.7))
    moved = warp_landmarks(face, frame, (512, 512), 256)
    tall = np.hypot(*(moved.points[10, :2] - moved.points[152, :2])) / 256
    assert 0.55 < tall < 0.75
    marked = astronaut.copy()
    x, y = face.points[1, :2].astype(int)
    marked[y - 1 : y + 2, x - 1 : x + 2] = (0, 255, 0)
    shown = warp_picture(marked, frame, 256).astype(int)
    green = shown[..., 1] - shown[..., 0] - shown[..., 2]
    row, column = np.unravel_index(green.argmax(), green.shape)
    assert np.hypot(column - moved.points[1, 0], row - moved.points[1, 1]) < 4


def test_a_framed_face_keeps_its_shape_and_is_never_magnified_much(turned, face):
    """Distances in space change by the frame's scale; half of the frames are mirrored."""
    head = turned(face, 25, 10)
    some = np.linalg.norm(head.points[::40, None] - head.points[None, ::40], axis=-1)
    mirrored = 0
    for seed in range(40):
        frame = draw_frame(np.random.default_rng(seed), head, (512, 512), 256, (0.3, 0.8))
        points = warp_landmarks(head, frame, (512, 512), 256).points[::40]
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
        assert apart == pytest.approx(frame.scale * some, rel=1e-3, abs=0.01)
        alike = np.corrcoef(points[:, 0], head.points[::40, 0])[0, 1]
        assert (alike < 0) == frame.mirrored
        mirrored += frame.mirrored
        small = replace(head, points=head.points * np.float32(0.1))
        tiny = draw_frame(np.random.default_rng(seed), small, (512, 512), 256, (0.3, 0.8))
        assert tiny.scale == pytest.approx(1.9)
    assert 10 < mirrored < 30


def test_a_reduced_picture_has_the_means_of_its_pixels_and_an_enlarged_one_is_sharpened():
    """Noise is averaged away, not picked; an unsharp mask lifts the detail about the mean."""
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    quarter = Frame(np.float32([[0.25, 0, 0], [0, 0.25, 0]]), 0.25, False)
    assert warp_picture(noise, quarter, 128).std() < 0.45 * noise.std()
    wave = np.tile(128 + 40 * np.sin(np.arange(128) * 2 * np.pi / 8), (128, 1))
    picture = np.repeat(np.round(wave)[..., None], 3, 2).astype(np.uint8)
    sharp = sharpen(picture, 0.5, 1.5)
    lost = np.exp(-((2 * np.pi / 8 * 0.7 * 1.5) ** 2) / 2)  # what a Gaussian leaves of the wave
    gain = (sharp[64, 16:-16, 0] - 128.0).std() / (picture[64, 16:-16, 0] - 128.0).std()
    assert gain == pytest.approx(1 + 0.5 * (1 - lost), abs=0.02)
    assert sharpen(picture, 0.0, 1.5) is picture


def test_the_matte_lies_on_the_person_however_coarse_it_is(face):
    """One drawn at a quarter of the picture's size moves as the picture itself does."""
    rows, columns = np.mgrid[:512, :512]
    person = (255 * (columns + 0.6 * rows < 400)).astype(np.uint8)
    coarse = cv2.resize(person, (128, 128), interpolation=cv2.INTER_AREA)
    for seed in range(6):
        frame = draw_frame(np.random.default_rng(seed), face, (512, 512), 256, (0.4, 0.8))
        moved = warp_landmarks(replace(face, matte=coarse), frame, (512, 512), 256).matte
        shown = warp_picture(person, frame, 256)
        away = moved[20:-20, 20:-20].astype(float) - shown[20:-20, 20:-20]
        assert abs(away.mean()) < 0.25


def test_a_frame_that_fits_shows_no_mirrored_border(face):
    """What is shown of a ramp is a ramp up to the edges: mirrored in, it would turn back."""
    rows, columns = np.mgrid[:512, :512]
    ramps = np.stack([columns, rows, rows + columns], -1) // np.array([2, 2, 4])
    pixels = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1)
    for seed in range(30):
        frame = draw_frame(np.random.default_rng(seed), face, (512, 512), 256, (0.4, 0.8))
        source = (pixels - frame.affine[:, 2]) @ np.linalg.inv(frame.affine[:, :2]).T
        assert source.min() > -2
        assert source.max() < 514
        shown = warp_picture(ramps.astype(np.uint8), frame, 256)
        assert np.abs(shown[..., :2] - source / 2).max() < 2.5


@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_the_head_is_an_ellipsoid_with_its_normals(turn):
    points, width, height = np.zeros((478, 3)), 90.0, 120.0
    across = np.array([np.cos(turn), 0.0, np.sin(turn)])
    middle = np.array([100.0, 110.0, 20.0])
    points[RIGHT_CHEEK], points[LEFT_CHEEK] = (middle + s * width / 2 * across for s in (-1, 1))
    points[FOREHEAD, 1], points[CHIN, 1] = 50, 50 + height
    depth, normals, reached = head_ellipsoid(points, (200, 200))
    rows, columns = np.mgrid[:200, :200]
    at = np.stack([columns, rows, depth], -1) - (middle - np.array([0, 0.13 * height, 0]))
    forward = np.cross(across, [0, 1, 0])
    own = at @ np.stack([across, np.array([0.0, 1, 0]), forward], -1)
    quadric = np.square(own / np.array([0.56 * width, 0.74 * height, 0.68 * width])).sum(-1)
    assert reached.sum() > np.pi * 0.5 * width * 0.6 * height
    assert quadric[reached] == pytest.approx(1, abs=1e-4)
    inner = cv2.erode(reached.astype(np.uint8), np.ones((21, 21))) > 0
    slope_y, slope_x = np.gradient(depth)
    expected = unit(np.stack([-slope_x, -slope_y, np.ones_like(depth)], -1))
    assert np.abs(normals - expected)[inner].max() < 0.02


def test_other_vertex_orders_are_refused(face):
    points = face.points.copy()
    points[[1, 152]] = points[[152, 1]]
    for other in (points, points[::-1], points[:300]):
        with pytest.raises(LandmarkError, match="478-point order"):
            check_order(other)
    assert sum(refused(face.points, seed) for seed in range(100)) > 85


def refused(points: np.ndarray, seed: int) -> bool:
    """Whether the points are, shuffled: here and there one that stands for the nose lies well."""
    try:
        check_order(np.random.default_rng(seed).permutation(points))
    except LandmarkError:
        return True
    return False


@pytest.mark.parametrize("yaw", [0, 50])
@pytest.mark.parametrize("pitch", [-85, -60, -30, 0, 30, 60, 85])
def test_the_order_of_the_vertices_is_known_in_every_pose(face, turned, yaw, pitch):
    check_order(turned(face, yaw, pitch).points)


@pytest.mark.parametrize("sigma", [0.2, 2.0, 9.0, 40.0])
@pytest.mark.parametrize("shape", [(300, 260), (200, 310, 3)])
def test_the_cheap_blur_is_a_gaussian_blur(sigma: float, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).random(shape).astype(np.float32)
    picture[80:150, 60:160] += 3
    wanted = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    error = np.abs(blur(picture, sigma) - wanted) / np.ptp(picture)
    assert (blur(picture, sigma) is picture) == (sigma < 0.3)
    assert sigma < 0.3 or (error.mean() < 0.005 and error.max() < 0.05)  # worst in the corners
