"""Shadows set by hand, and browsing what was built."""

from dataclasses import replace

import numpy as np
import pytest

from dataset_tools import browse, ledger, studio
from dataset_tools.build import BuildPlan, build
from dataset_tools.engines import EnginePlan
from dataset_tools.shards import PairPlan
from dataset_tools.studio import ShadowSettings, StudioError
from learnir.images import decode_linear


@pytest.fixture(scope="module")
def portrait(astronaut):
    return studio.open_portrait(astronaut[:400, 60:460])


def test_same_settings_same_bytes(portrait):
    settings = ShadowSettings("hand", seed=3)
    first, again = (studio.cast_shadow(portrait, settings) for _ in range(2))
    assert np.array_equal(first.shadow, again.shadow)
    assert first.meta == again.meta
    other = studio.cast_shadow(portrait, replace(settings, seed=4))
    assert not np.array_equal(first.shadow, other.shadow)


def shaded(portrait, settings):
    """The pair of the first seed by which the shadow meets the face: what is thin may miss it."""
    pairs = (studio.cast_shadow(portrait, replace(settings, seed=seed)) for seed in range(1, 9))
    return next(pair for pair in pairs if pair.meta["coverage"] > 0.02)


def what_stays(pair):
    """Share of the linear light that is left where most of the direct light is blocked."""
    deep = pair.mask > 128
    return float(decode_linear(pair.shadow)[deep].sum() / decode_linear(pair.clean)[deep].sum())


@pytest.mark.parametrize("name", [n for n in studio.occluder_names() if n != studio.NONE])
def test_every_occluder_darkens_and_never_brightens(portrait, name):
    pair = shaded(portrait, ShadowSettings(name, tint=0.0))
    assert int((pair.shadow.astype(int) - pair.clean).max()) <= 1
    assert 0 <= pair.visibility.min() <= pair.visibility.max() <= 1
    lit = pair.mask == 0
    assert np.abs(pair.shadow[lit].astype(int) - pair.clean[lit]).mean() < 3  # scattering only
    assert np.array_equal(pair.mask, np.round(255 * (1 - pair.visibility)))
    skin = portrait.scene.skin > 0.5
    assert pair.meta["coverage"] == pytest.approx((pair.mask[skin] > 127.5).mean(), abs=1e-3)
    assert 0.2 < what_stays(pair) < 0.5  # 0.22 is ambient


def test_no_occluder_changes_nothing(portrait):
    pair = studio.cast_shadow(portrait, ShadowSettings(studio.NONE))
    assert int(np.abs(pair.shadow.astype(int) - pair.clean).max()) <= 1
    assert not pair.mask.any()


def test_more_ambient_light_is_a_lighter_shadow(portrait):
    means = [
        studio.cast_shadow(portrait, ShadowSettings("half_plane", ambient=a)).shadow.mean()
        for a in (0.1, 0.3, 0.6)
    ]
    assert means[0] < means[1] < means[2]


def test_a_wider_light_and_a_farther_hand_soften_the_edge(portrait):
    def steepest(softness, distance):
        settings = ShadowSettings(
            "half_plane", softness=softness, distance=distance, person_only=False, seed=5
        )
        visible = studio.cast_shadow(portrait, settings).visibility
        return float(np.abs(np.diff(visible, axis=0)).max())

    assert steepest(0.3, 100) > steepest(3, 100) > steepest(8, 600)


def test_a_shadow_of_the_person_leaves_the_background(portrait):
    pair = studio.cast_shadow(portrait, ShadowSettings("half_plane", azimuth=-90))
    assert int(pair.mask[portrait.person < 0.01].max()) <= 3
    assert pair.meta["coverage"] > 0.3
    assert what_stays(pair) < 0.5


def test_large_portraits_are_reduced(astronaut):
    big = np.kron(astronaut, np.ones((3, 3, 1), np.uint8))
    assert max(studio.open_portrait(big).picture.shape) == studio.LONGEST


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.full((200, 200, 3), 90, np.uint8), "no face"),
        (np.zeros((50, 50), np.uint8), "uint8 RGB"),
        (np.zeros((50, 50, 3), np.float32), "uint8 RGB"),
    ],
)
def test_pictures_that_cannot_be_used(picture, words):
    with pytest.raises(StudioError, match=words):
        studio.open_portrait(picture)


def test_an_unknown_occluder_lists_the_known(portrait):
    with pytest.raises(StudioError, match="half_plane"):
        studio.cast_shadow(portrait, ShadowSettings("umbrella"))


def test_drawings_have_the_portraits_size(portrait):
    H, W = portrait.picture.shape[:2]
    assert studio.draw_landmarks(portrait).shape == (H, W, 3)
    assert studio.depth_picture(portrait.scene.depth).shape == (H, W, 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    import cv2

    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "one.png"), astronaut[..., ::-1])
    return folder


@pytest.mark.parametrize("layout", ["parquet", "imagefolder", "webdataset"])
@pytest.mark.parametrize("published", [False, True], ids=["built", "published"])
def test_browsing_every_format(layout, published, photos, tmp_path):
    out = tmp_path / "built"
    pairs = PairPlan(pairs_per_photo=3, size=96, layout=layout)
    plan = BuildPlan((str(photos),), out, pairs, engine=EnginePlan("local", 1), licence="CC0-1.0")
    build(replace(plan, sheets=False))
    if published:  # the Hub has no working state
        import shutil

        shutil.rmtree(out / ".faceshadow")
    found = browse.open_dataset(out)
    assert len(found.table) == 3
    assert found.table["coverage"].max() > 0.1
    for index in range(3):
        pictures = found.pictures(index)
        assert pictures["shadow"].shape == pictures["clean"].shape == (96, 96, 3)
        assert pictures["mask"].shape == (96, 96)
        darker = pictures["clean"].astype(int) - pictures["shadow"]
        if found.parameters(index)["coverage"] > 0.1:
            assert darker[pictures["mask"] > 200].mean() > 5
        assert "light" in found.parameters(index)["parameters"]


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(ledger.DatasetError, match=r"faceshadow\.json"):
        browse.open_dataset(tmp_path)
