"""Curation, duplicates and splits."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_tools.clean_target import examine, fitted_shading, own_light, spherical_harmonics
from dataset_tools.curation import (
    Thresholds,
    Verdict,
    drop_duplicates,
    is_unknown,
    judge,
    only_unevenly_lit,
    permits,
)
from dataset_tools.duplicates import _neighbours, _similar, duplicate_clusters
from dataset_tools.facts import Facts, measure, skin_bin, thumbnail
from dataset_tools.geometry import surface
from dataset_tools.photos import Photo
from dataset_tools.rows import licence_of
from dataset_tools.splits import groups, split_of

PHOTO = Photo("a.png", path=None, licence="CC0")  # type: ignore[arg-type]
GOOD = Facts(
    "a.png", faces=1, iris_px=60, sharpness=100, skin_L=60, chroma=20, eyes=0.9, shadow_score=0.1
)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"unreadable": "broken"}, "readable"),
        ({"faces": 0}, "one_face"),
        ({"faces": 5}, "one_face"),
        ({"iris_px": 9}, "large_enough"),
        ({"yaw": -70}, "frontal"),
        ({"yaw": 70}, "frontal"),
        ({"pitch": -60}, "frontal"),
        ({"pitch": 60}, "frontal"),
        ({"sharpness": 2}, "sharp"),
        ({"skin_L": 5}, "well_exposed"),
        ({"skin_L": 98}, "well_exposed"),
        ({"clipped": 0.2}, "well_exposed"),
        ({"chroma": 0.5}, "in_colour"),
        ({"eyes": 0.05}, "eyes_visible"),
        ({"shadow_score": 0.9}, "shadow_free"),
    ],
)
def test_each_filter_drops_with_its_name_and_a_reason(change, step):
    assert judge(PHOTO, GOOD, Thresholds()).status == "kept"
    verdict = judge(PHOTO, replace(GOOD, **change), Thresholds())
    assert (verdict.status, verdict.step) == ("dropped", step)
    assert verdict.reason


def test_doubtful_targets_wait_for_review():
    assert judge(PHOTO, replace(GOOD, shadow_score=0.33), Thresholds()).status == "review"


def test_side_lit_photos_of_the_manifest_are_dropped():
    lit = replace(PHOTO, tags={"cheek_asym_L": "-18.5"})
    assert judge(lit, GOOD, Thresholds()).step == "evenly_lit"


@pytest.mark.parametrize(
    ("stated", "status"), [("30,5", "dropped"), ("n/a", "kept"), (" ", "kept")]
)
def test_light_that_a_manifest_tells_in_no_number_is_not_passed_over(stated, status):
    verdict = judge(replace(PHOTO, tags={"cheek_asym_L": stated}), GOOD, Thresholds())
    assert verdict.status == status
    assert not verdict.reason or f"{stated!r}, no number" in verdict.reason


@pytest.mark.parametrize(
    ("asymmetry", "change", "wanted"),
    [
        ("0", {}, False),  # a target
        ("18", {}, True),
        ("0", {"shadow_score": 0.33}, True),
        ("18", {"shadow_score": 0.33}, True),
        ("18", {"shadow_score": 0.9}, False),  # surely a shadow
        ("18", {"sharpness": 1.0}, False),
    ],
)
def test_what_only_its_light_keeps_out(asymmetry, change, wanted):
    photo = replace(PHOTO, tags={"cheek_asym_L": asymmetry})
    assert only_unevenly_lit(photo, replace(GOOD, **change), Thresholds()) is wanted


def test_unknown_licences_are_refused_unless_asked():
    photo = replace(PHOTO, licence="no licence stated (official portraits)")
    assert judge(photo, GOOD, Thresholds()).step == "licensed"
    assert judge(photo, GOOD, Thresholds(allow_unlicensed=True)).status == "kept"
    assert is_unknown(" ")
    assert not is_unknown("CC BY 4.0")


@pytest.mark.parametrize(
    "licence",
    [
        "n/a",
        "N.A.",
        "?",
        "TBD",
        "-",
        "\N{EM DASH}",
        "null",
        "nan",
        "None",
        "Unknown.",
        "unspecified",
        "Unknown photographer",
        "unknown author; n/a",
        "unknown, perhaps CC BY",
    ],
)
def test_texts_that_state_no_licence(licence):
    assert is_unknown(licence)
    assert not permits(licence)
    assert licence_of(replace(PHOTO, licence=licence)) == "unknown"


@pytest.mark.parametrize(
    "licence",
    ["All rights reserved", "(C) 2020 A. All Rights Reserved.", "do not redistribute",
     "No reproduction", "not for publication", "may not be shared", "Redistribution prohibited",
     "Redistribution is not permitted", "not redistributable", "Not licensed for redistribution",
     "Reproduction forbidden", "do not use", "personal use only", "Use is not allowed",
     "Reproduction of these pictures in any form is strictly prohibited", "no permission",
     "For personal and educational use only", "only for private use", "may not be used",
     "(c) MIT Media Lab, all rights reserved", "(c) Apache Museum. All rights reserved",
     "all rights reserved. Not CC BY", "not in the public domain, all rights reserved",
     "Unknown photographer, all rights reserved"],
)  # fmt: skip
def test_refusals_are_no_licences(licence):
    photo = replace(PHOTO, licence=licence)
    verdict = judge(photo, GOOD, Thresholds())
    assert (verdict.status, verdict.step) == ("dropped", "licensed")
    assert f"licence {licence!r} permits nothing" in verdict.reason
    assert judge(photo, GOOD, Thresholds(allow_unlicensed=True)).status == "kept"
    assert licence_of(photo) == licence


@pytest.mark.parametrize(
    "licence",
    ["CC BY 4.0", "CC0", "MIT", "public domain (NASA)", "CC BY-NC 4.0 (not for commercial use)",
     "BSD-3-Clause. All rights reserved.", "consent given, form 12", "Nantes archive, open",
     "MIT License", "The MIT License. Copyright (c) 2020 A. All rights reserved.", "Apache-2.0",
     "Apache License 2.0. All rights reserved.", "Unsplash License", "Pexels licence", "OGL v3",
     "GPL-3.0", "CC-BY-SA-3.0", "CC BY-NC-ND 4.0: redistribution of changed works not permitted",
     "Unknown photographer; CC BY 4.0", "unknown author, public domain", "No copyright",
     "No known copyright restrictions", "No known restrictions on publication",
     "no permission required", "free to use, no attribution required", "Commercial use prohibited",
     "may not be used for commercial purposes", "Redistribution for profit is forbidden",
     "use without attribution is not permitted", "Redistribution permitted",
     "Free to use and share but resale prohibited", "for research use only", "no rights reserved"],
)  # fmt: skip
def test_licences_are_not_taken_for_refusals(licence):
    assert permits(licence)
    assert judge(replace(PHOTO, licence=licence), GOOD, Thresholds()).status == "kept"


def test_harmonics_explain_smooth_shading_but_not_a_cast_shadow(face, astronaut):
    scene = surface(face.points, (512, 512))
    skin = scene.skin > 0.9
    normals = scene.normals[skin]
    light = np.log(0.3 + 0.5 * np.maximum(normals @ np.array([0.3, -0.4, 0.87]), 0))
    assert spherical_harmonics(normals).shape == (skin.sum(), 9)
    assert np.abs(light - fitted_shading(light, normals)).mean() < 0.05
    picture = np.zeros((512, 512, 3), np.float32) + 0.3
    picture[skin] = np.exp(light)[:, None]
    clean = examine(picture, scene)
    rows = np.arange(512)[:, None, None]
    shadowed = examine(np.where(rows < face.points[1, 1], picture * 0.3, picture), scene)
    assert clean.dark_share < 0.01
    assert shadowed.dark_share > 0.15
    assert shadowed.score > clean.score + 0.1


def sphere(count: int = 4000) -> np.ndarray:
    """Unit normals all around, evenly (a Fibonacci lattice); (count, 3)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    return np.stack([*(np.sqrt(1 - z * z) * (np.cos(turn), np.sin(turn))), z], 1)


def test_harmonics_are_orthogonal_on_the_sphere():
    basis = spherical_harmonics(sphere())
    length = np.sqrt((basis**2).mean(0))
    assert length.min() > 0.2
    assert basis.T @ basis / 4000 / np.outer(length, length) == pytest.approx(np.eye(9), abs=2e-3)


@pytest.mark.parametrize(("outliers", "within"), [(-1.5, 0.03), (1.5, 0.06)])
def test_a_patch_in_shadow_or_a_highlight_hardly_pulls_the_fit(outliers, within):
    normals = sphere()
    normals = normals[normals[:, 2] > 0.2]
    light = normals @ np.array([0.3, -0.2, 0.5])
    patch = normals @ (np.array([0.6, 0, 0.8])) > 0.95
    assert patch.mean() > 0.05
    found = fitted_shading(np.where(patch, light + outliers, light), normals)
    assert np.abs(found - light)[~patch].mean() < within
    plain, *_ = np.linalg.lstsq(
        spherical_harmonics(normals), np.where(patch, light + outliers, light), rcond=None
    )
    assert np.abs(spherical_harmonics(normals) @ plain - light)[~patch].mean() > 2 * within


def test_edges_of_shadows_are_neutral_and_sides_are_compared(face):
    """A step of brightness alone across the face; one of colour; a darker left half."""
    scene = surface(face.points, (512, 512))
    rows = np.arange(512)[:, None, None]
    base = np.full((512, 512, 3), 0.4, np.float32)
    above = rows < face.points[1, 1]

    def examined(change):
        return examine(np.where(above, base * np.float32(change), base), scene)

    assert examined([1, 1, 1]).edge_share == 0
    assert examined([0.3, 0.3, 0.3]).edge_share > 0.02
    assert examined([0.1, 0.5, 0.9]).edge_share == 0
    left = np.where(scene.normals[..., :1] < 0, base * 0.7, base)
    wanted = np.log(0.43 / (0.28 + 0.03))  # the light of both and the floor
    assert examine(left, scene).asymmetry == pytest.approx(wanted, abs=0.02)
    assert examine(base, scene).asymmetry == pytest.approx(0, abs=1e-6)


def test_the_light_of_a_picture_is_told_from_what_it_falls_on(face):
    scene = surface(face.points, (512, 512))
    towards = np.array([0.8, -0.3, 0.52])
    fallen = 0.3 + 0.7 * np.clip(scene.normals @ (towards / np.linalg.norm(towards)), 0, 1)
    painted = np.where(np.indices(fallen.shape)[1] % 24 < 6, 0.45, 0.6)[..., None]  # stripes
    found = own_light(np.float32(painted * fallen[..., None] * np.ones(3)), scene)
    skin = scene.skin > 0.9
    wanted = fallen / np.percentile(fallen[skin], 95)
    assert found.shape == fallen.shape
    assert float(found.max()) <= 1
    assert np.abs(found - wanted.clip(max=1))[skin].mean() < 0.05
    assert np.corrcoef(found[skin], wanted[skin])[0, 1] > 0.97


def test_facts_of_the_astronaut(face, astronaut):
    facts = measure("astronaut", "0", astronaut, face)
    assert judge(replace(PHOTO, key="astronaut"), facts, Thresholds()).status == "kept"
    assert facts.faces == 1
    assert 35 < facts.iris_px < 90
    assert skin_bin(facts.ita) in ("light", "intermediate", "very light")
    grey = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert judge(PHOTO, measure("g", "0", grey, face), Thresholds()).step == "in_colour"


def test_the_iris_distance_is_that_of_the_photo_however_large(face, astronaut):
    large = cv2.resize(astronaut, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    facts = measure("a", "0", astronaut, face)
    twice = measure("a", "0", large, replace(face, points=2 * face.points))
    assert twice.iris_px == pytest.approx(2 * facts.iris_px, rel=1e-5)
    assert twice.skin_L == pytest.approx(facts.skin_L, abs=1)  # at 512 px all the same


def test_sunglasses_are_seen(face, astronaut):
    picture = astronaut.copy()
    for a, b in ((33, 133), (362, 263)):
        x, y = face.points[[a, b], :2].mean(0).astype(int)
        cv2.ellipse(picture, (int(x), int(y)), (22, 17), 0, 0, 360, (12, 12, 14), -1)
    assert judge(PHOTO, measure("s", "0", picture, face), Thresholds()).step == "eyes_visible"


def test_duplicates_are_found_across_sizes_and_only_one_is_kept(astronaut):
    other = np.ascontiguousarray(astronaut[::-1])
    small = cv2.resize(astronaut, (300, 300), interpolation=cv2.INTER_AREA)
    pictures = {"a": astronaut, "b": small, "c": other}
    facts = [Facts(key, thumb=thumbnail(picture)) for key, picture in pictures.items()]
    assert duplicate_clusters(facts) == [["a", "b"]]
    verdicts = drop_duplicates([Verdict(key, "kept") for key in "abc"], [["a", "b"]])
    assert [v.status for v in verdicts] == ["kept", "dropped", "kept"]
    assert verdicts[1].reason.endswith("a")
    blurred = [Verdict("a", "dropped", "sharp", "blurred"), Verdict("b", "kept")]
    assert drop_duplicates(blurred, [["a", "b"]]) == blurred  # the copy stays for it


@pytest.mark.parametrize(
    "turn",
    [lambda p: np.rot90(p, 1), lambda p: np.rot90(p, 2), lambda p: np.rot90(p, 3), np.fliplr],
    ids=["quarter", "half", "three quarters", "mirror"],
)
def test_duplicates_are_found_however_they_are_turned(astronaut, turn):
    picture = cv2.resize(astronaut[40:440, 60:360], (240, 320), interpolation=cv2.INTER_AREA)
    turned = np.ascontiguousarray(turn(picture))
    coded = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    other = cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE)[20:]  # a crop counts as another photo
    pictures = {"a": picture, "b": cv2.imdecode(coded, cv2.IMREAD_COLOR), "c": other[:200]}
    facts = [Facts(key, thumb=thumbnail(picture)) for key, picture in pictures.items()]
    assert duplicate_clusters(facts) == duplicate_clusters(facts[::-1]) == [["a", "b"]]


def test_duplicates_are_found_though_the_wall_behind_is_flat(astronaut):
    """There the signs that a difference hash consists of are those of noise."""
    rng = np.random.default_rng(0)
    picture = np.full((320, 320, 3), 200, np.uint8)
    picture[120:320, 110:210] = astronaut[20:220, 170:270]
    noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
    small = cv2.resize(noisy, (107, 107), interpolation=cv2.INTER_AREA)
    copy = cv2.imdecode(cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, 60])[1], 1)
    assert duplicate_clusters(
        [Facts("a", thumb=thumbnail(noisy)), Facts("b", thumb=thumbnail(copy))]
    ) == [["a", "b"]]


def test_turning_both_alike_makes_nothing_a_duplicate():
    rng = np.random.default_rng(0)
    rows = np.linspace(0, 240, 16)[:, None]  # alike but for the hash, which looks along the rows
    thumbs = {key: (rows + rng.uniform(0, 12, (16, 16))).astype(np.uint8) for key in "ab"}
    assert duplicate_clusters([Facts(k, thumb=t.tobytes().hex()) for k, t in thumbs.items()]) == []


def test_the_search_for_duplicates_finds_what_comparing_all_with_all_finds():
    rng = np.random.default_rng(0)
    base = np.add.outer(np.linspace(0, 120, 16), np.linspace(0, 100, 16))  # all look alike
    noise = rng.normal(0, 1, (300, 16, 16)) * rng.uniform(1, 12, (300, 1, 1))
    thumbs = np.clip(base + noise + rng.uniform(0, 20, (300, 1, 1)), 0, 255).astype(np.uint8)
    thumbs[40:60] = 90  # blank: alike nothing
    flat = thumbs.reshape(300, -1) - thumbs.reshape(300, -1).mean(1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    bits = (np.diff(thumbs.astype(int), axis=2) > 0).reshape(300, -1)
    differ = (bits[:, None] != bits[None]).sum(2)
    alike = flat @ flat.T
    same = (alike >= 0.9985) | ((alike >= 0.995) & (differ <= 12))
    expected = sorted((int(i), int(j)) for i, j in np.argwhere(np.triu(same, 1)))
    assert len(expected) > 5
    assert sorted(_similar(thumbs)) == expected
    assert _similar(thumbs[40:60]) == []


def test_duplicates_that_differ_where_all_thumbnails_do_are_found():
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16))
    steepness = np.linspace(-60, 60, 40)[:, None, None]  # the direction that spreads them most
    thumbs = np.round(128 + 60 * x + steepness * y).astype(np.uint8)
    flat = thumbs.reshape(40, -1) - thumbs.reshape(40, -1).mean(1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    alike = np.triu(flat @ flat.T >= 0.995, 1)
    assert sorted(_similar(thumbs)) == sorted((int(i), int(j)) for i, j in np.argwhere(alike))
    assert (flat @ flat.T)[alike].min() < 0.9965


def test_duplicates_are_sought_without_comparing_all_with_all():
    rng = np.random.default_rng(0)
    flat = rng.normal(0, 1, (3000, 256)).astype(np.float32)
    flat[2999] = flat[7]
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    first, second = _neighbours(flat, np.arange(3000))
    assert (7, 2999) in zip(first, second, strict=True)
    assert len(first) < 3000  # of 4.5 million pairs


names = st.sampled_from(["", "p1", "p2", "p3", "p4"])
people = st.lists(st.tuples(names, st.sampled_from(["", "p1", "y"])), min_size=1, max_size=25)
pairs = st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), max_size=6)


@settings(deadline=None, max_examples=150)
@given(people=people, pairs=pairs)
def test_those_and_only_those_are_one_group_who_share_a_person_an_author_or_a_photo(people, pairs):
    """Against joining one by one; whatever the order. A person may be called as an author is."""
    photos = [
        replace(PHOTO, key=f"k{i}", identity=identity, author=author)
        for i, (identity, author) in enumerate(people)
    ]
    clusters = [[f"k{a}", f"k{b}"] for a, b in pairs if max(a, b) < len(photos)]
    joined = {photo.key: {photo.key} for photo in photos}
    for first in photos:
        for second in photos:
            same_person = first.identity and first.identity == second.identity
            same_author = first.author and first.author == second.author
            if same_person or same_author or [first.key, second.key] in clusters:
                both = joined[first.key] | joined[second.key]
                joined |= dict.fromkeys(both, both)
    group = groups(photos, clusters)
    for key, others in joined.items():
        assert {other for other in group if group[other] == group[key]} == others
    assert groups(photos[::-1], clusters[::-1]) == group


def test_splits_do_not_move_when_the_set_grows():
    def photos(count: int) -> list[Photo]:
        return [replace(PHOTO, key=f"k{i}", identity=f"p{i // 2}") for i in range(count)]

    before, after = groups(photos(400)), groups(photos(900))
    assert all(split_of(before[key]) == split_of(after[key]) for key in before)
    shares = [split_of(f"person{i}") for i in range(5000)]
    assert shares.count("val") / 5000 == pytest.approx(0.04, abs=0.01)
    assert shares.count("test") / 5000 == pytest.approx(0.06, abs=0.01)
