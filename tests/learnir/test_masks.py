"""A strength that differs from place to place: in Python, and as masks of ``learnir restore``."""

import io
import os
from unicodedata import normalize

import cv2
import numpy as np
import pytest
import torch
from albums import save
from PIL import Image

from learnir.frames import FrameRestorer
from learnir.gain import GainMap, apply_gain, blend, brighten
from learnir.images import ImageError, decode_linear, encode_linear
from learnir.masks import read_mask, same_proportions
from learnir.model import LearnIRModel
from learnir.planning import PlanError, Writing, plan

pytestmark = pytest.mark.usefixtures("faceless")


def halves(H, W, left=0.0, right=1.0):
    """A map of two strengths, side by side."""
    strength = np.full((H, W), left, np.float32)
    strength[:, W // 2 :] = right
    return strength


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_map_is_at_every_pixel_what_one_number_is(scene, dtype):
    """Against the equation itself, pixel by pixel, of maps as large and of one enlarged."""
    observed = scene(90, 70, dtype)
    restored = np.clip(observed.astype(np.int64) * 3 // 2 + 5, 0, np.iinfo(dtype).max).astype(dtype)
    small = [cv2.resize(p, (35, 45), interpolation=cv2.INTER_AREA) for p in (observed, restored)]
    gain_map = GainMap.between(*(decode_linear(p) for p in small))
    rng = np.random.default_rng(0)
    for size in ((90, 70), (6, 5)):
        strength = rng.uniform(0.01, 1.5, size).astype(np.float32)
        full = cv2.resize(strength, (70, 90), interpolation=cv2.INTER_LINEAR)[..., None]
        linear = decode_linear(observed)
        gain = gain_map.rows(linear, 0, 90)
        expected = encode_linear(brighten(linear, full * gain), dtype)
        off = np.abs(apply_gain(observed, gain_map, strength).astype(int) - expected)
        assert off.max() <= (1 if dtype == np.uint8 else 64)  # 64 of 65535: quick encoding
    for value in (0.3, 1.4):
        flat = np.full((9, 8), value, np.float32)
        for what, how in ((apply_gain, gain_map), (blend, restored)):
            one, same = (what(observed, how, s).astype(int) for s in (value, flat))
            assert np.abs(one - same).max() <= 1  # rounding


@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_a_map_is_0_nothing_changes_and_where_it_is_1_all_is_restored(
    learnir, scene, mode, dtype
):
    picture = scene(150, 130, dtype)
    result = learnir.restore(picture, mode=mode)
    mixed = result.at_strength(halves(150, 130))
    np.testing.assert_array_equal(mixed[:, :65], picture[:, :65])
    np.testing.assert_array_equal(mixed[:, 65:], result.picture[:, 65:])
    assert not np.array_equal(result.picture[:, :65], picture[:, :65])
    half = result.at_strength(halves(150, 130, 1.0, 0.5))
    np.testing.assert_array_equal(half[:, 65:], result.at_strength(0.5)[:, 65:])
    again = learnir.restore(picture, mode=mode, strength=halves(150, 130))
    np.testing.assert_array_equal(again.picture, mixed)
    np.testing.assert_array_equal(again.at_strength(1), result.picture)


def test_a_map_lies_on_the_picture_as_it_was_given_bars_and_all(learnir, scene):
    """The part between bars is restored alone; what the map says of its left half stays there."""
    picture = np.zeros((120, 96, 3), np.uint8)
    picture[30:90] = scene(60, 96)
    result = learnir.restore(picture)
    mixed = learnir.restore(picture, strength=halves(120, 96)).picture
    np.testing.assert_array_equal(mixed[:, :48], picture[:, :48])
    np.testing.assert_array_equal(mixed[:, 48:], result.picture[:, 48:])
    assert not np.array_equal(mixed[30:90, 48:], picture[30:90, 48:])


def test_a_map_of_a_lying_picture_lies_as_that_does(learnir, scene, monkeypatch):
    picture = scene(80, 60)
    monkeypatch.setattr("learnir.pipeline.way_up", lambda _: 1)
    result = learnir.restore(picture)
    mixed = learnir.restore(picture, strength=halves(80, 60)).picture
    np.testing.assert_array_equal(mixed[:, :30], picture[:, :30])
    np.testing.assert_array_equal(mixed[:, 30:], result.picture[:, 30:])


def test_numbers_and_maps_of_any_kind_are_taken(learnir, scene):
    picture = scene(30, 20)
    result = learnir.restore(picture)
    half, mixed = result.at_strength(0.5), result.at_strength(halves(30, 20))
    for strength in (np.float64(0.5), np.array(0.5), torch.tensor(0.5)):
        np.testing.assert_array_equal(learnir.restore(picture, strength=strength).picture, half)
    for strength in (halves(30, 20).tolist(), halves(30, 20) > 0, torch.tensor(halves(30, 20))):
        np.testing.assert_array_equal(learnir.restore(picture, strength=strength).picture, mixed)


@pytest.mark.parametrize(
    ("strength", "told"),
    [
        (np.zeros((4, 4, 1), np.float32), "is \\(h, w\\)"),
        (np.zeros((0, 4), np.float32), "not empty"),
        (np.full((2, 2), 1.6), "got 1.6"),
        (np.array([[0.2, -0.1]]), "got -0.1"),
        (np.array([[0.2, np.nan]]), "got nan"),
        ([[[0.2]]], "is \\(h, w\\)"),
        ("much", "a number or a map of numbers"),
    ],
)
def test_a_map_that_is_none_is_refused_before_the_work(learnir, scene, strength, told):
    for use in (learnir.check, lambda **o: learnir.restore(scene(20, 20), **o)):
        with pytest.raises(ValueError, match=told):
            use(strength=strength)


def test_a_map_of_other_proportions_is_refused_before_the_work(learnir, scene, monkeypatch):
    picture = scene(80, 96)
    told = r"map of strengths \(h, w\) = \(96, 80\), of a picture \(80, 96\); give it the picture's"
    with monkeypatch.context() as patch:
        patch.setattr(LearnIRModel, "sample", lambda *_, **__: pytest.fail("ran the network"))
        for given in (picture, Image.fromarray(picture)):
            for strength in (np.zeros((96, 80)), np.ones((96, 80)).tolist()):
                with pytest.raises(ValueError, match=told):
                    learnir(given, strength=strength)
    for shape in ((5, 6), (40, 48), (81, 97)):  # to a pixel of the smaller
        np.testing.assert_array_equal(learnir(picture, strength=np.zeros(shape)), picture)


@pytest.fixture
def masks(tmp_path):
    """A folder with a mask of album/a.png (40 x 50 pixels) alone, its left half black."""
    save(tmp_path / "masks" / "a.png", (255 * halves(40, 50)).astype(np.uint8))
    return tmp_path / "masks"


def restored(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_masks_say_where_the_pictures_of_a_folder_are_restored(command, album, masks, tmp_path):
    assert command(album, "-o", tmp_path / "whole")[0] == 0
    code, out, told = command(album, "-o", tmp_path / "out", "--mask", masks)
    assert code == 0
    assert "2 restored" in out
    whole = album / "deep" / "b.jpg"
    assert f"{masks}: no mask for 1 of 2, restored whole; first {whole}" in told
    given, whole, part = (
        restored(folder / "a.png") for folder in (album, tmp_path / "whole", tmp_path / "out")
    )
    np.testing.assert_array_equal(part[:, :25], given[:, :25])
    np.testing.assert_array_equal(part[:, 25:], whole[:, 25:])
    names = [tmp_path / folder / "deep" / "b.jpg" for folder in ("whole", "out")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_the_mask_of_one_picture_is_a_file_and_strength_counts_as_well(
    command, album, masks, tmp_path
):
    for name, more in (("full", ()), ("half", ("--strength", 0.5))):
        mask = ("--mask", masks / "a.png")
        assert command(album / "a.png", "-o", tmp_path / f"{name}.png", *mask, *more)[0] == 0
    command(album / "a.png", "-o", tmp_path / "plain.png", "--strength", 0.5)
    half, plain = (restored(tmp_path / f"{name}.png") for name in ("half", "plain"))
    np.testing.assert_array_equal(half[:, 25:], plain[:, 25:])
    np.testing.assert_array_equal(half[:, :25], restored(album / "a.png")[:, :25])


def test_masks_below_an_input_folder_are_no_pictures(album, masks):
    inside = album / "masks"
    masks.rename(inside)
    made = plan([str(album)], album.parent / "out", Writing(), inside)
    assert sorted((t.source.name, t.mask) for t in made.tasks) == [
        ("a.png", inside / "a.png"),
        ("b.jpg", None),
    ]


@pytest.mark.parametrize("name", ["b.jpg", "b.png", "b.jpg.png"])
def test_a_mask_has_the_name_of_its_picture_or_ends_in_png(album, masks, name):
    save(masks / "deep" / name, np.full((40, 50), 255, np.uint8))
    made = plan([str(album)], album.parent / "out", Writing(), masks)
    assert [t.mask for t in made.tasks] == [masks / "a.png", masks / "deep" / name]
    assert not made.notes


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_is_the_same_within_its_letter_and_behind_it(tmp_path, forms):
    of_picture, of_mask = (normalize(form, "caf\u00e9") for form in forms)
    picture = save(tmp_path / "in" / of_picture / f"{of_picture}.png", np.zeros((4, 4), np.uint8))
    mask = save(tmp_path / "masks" / of_picture / f"{of_mask}.png", np.zeros((4, 4), np.uint8))
    todo = plan([str(tmp_path / "in")], tmp_path / "out", Writing(), tmp_path / "masks")
    assert [(task.source, task.mask) for task in todo.tasks] == [(picture, mask)]
    assert todo.notes == []


def test_masks_that_belong_to_nothing_are_told(album, masks):
    out, writing = album.parent / "out", Writing()
    for inputs, mask, told in (
        ([album], album.parent / "none", "no such mask"),
        ([album], masks / "a.png", "for several, give a folder"),
        ([album / "deep"], masks, "no mask for any picture"),
        ([album], album, "an input itself"),
        ([album / "a.png"], album / "a.png", "an input itself"),
    ):
        with pytest.raises(PlanError, match=told):
            plan([str(path) for path in inputs], out, writing, mask)


def test_a_mask_of_nothing_is_named(album, masks):
    save(masks / "A.png", np.zeros((9, 9), np.uint8))
    save(masks / "deep" / "c.png", np.zeros((9, 9), np.uint8))
    notes = plan([str(album)], album.parent / "out", Writing(), masks).notes
    assert f"{masks}: 2 of no picture, left out; first {masks / 'A.png'}" in notes


def test_no_result_takes_the_place_of_a_mask(album, masks):
    for inputs, out, mask in (
        (album, masks, masks),
        (album / "a.png", masks / "a.png", masks / "a.png"),
    ):
        for writing in (Writing(), Writing(resume=True), Writing(overwrite=True)):
            with pytest.raises(PlanError, match="is a mask; choose another -o"):
                plan([str(inputs)], out, writing, mask)


def test_a_mask_among_the_inputs_is_told_not_dropped(album):
    with pytest.raises(PlanError, match="an input itself"):
        plan([str(album / "a.png"), str(album / "deep")], album / "o", Writing(), album / "a.png")


def test_links_to_masks_below_an_input_folder_are_no_pictures(album, masks):
    (album / "masks").mkdir()
    (album / "masks" / "a.png").symlink_to(masks / "a.png")
    made = plan([str(album)], album.parent / "out", Writing(), album / "masks")
    assert sorted(task.source.name for task in made.tasks) == ["a.png", "b.jpg"]


def test_a_name_that_is_as_long_as_may_be_stops_nobody(album, masks, scene):
    long = save(album / ("x" * 250 + ".jpg"), scene(20, 20))
    made = plan([str(album)], album.parent / "out", Writing(), masks)
    assert [task.mask for task in made.tasks if task.source == long] == [None]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_a_pipe_is_no_mask(album, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PlanError, match="no such mask"):
        plan([str(album / "a.png")], tmp_path / "out", Writing(), tmp_path / "pipe.png")


def test_an_input_that_is_missing_is_what_is_told(album, masks, tmp_path):
    made = plan([str(album / "nope.png")], tmp_path / "out", Writing(), masks / "a.png")
    assert not made.tasks
    assert "nope.png: no such file" in made.problems[0]


def test_proportions_are_the_same_to_a_pixel_of_the_smaller():
    assert same_proportions((720, 900), (2399, 3000))
    assert same_proportions((11, 900), (20, 1600))  # 11.25 rows
    assert same_proportions((2399, 3000), (720, 900))
    assert not same_proportions((722, 900), (2399, 3000))
    assert not same_proportions((900, 720), (720, 900))


def test_masks_of_labels_are_told_from_black_ones(tmp_path):
    labels = save(tmp_path / "labels.png", np.eye(3, 2, dtype=np.uint8))
    with pytest.raises(ImageError, match="save the mask with 255 for white"):
        read_mask(labels, (3, 2))
    assert not read_mask(save(tmp_path / "black.png", np.zeros((3, 2), np.uint8)), (3, 2)).any()


def test_a_video_has_one_strength(learnir):
    with pytest.raises(ValueError, match="one strength, not a map"):
        FrameRestorer(learnir, {"strength": halves(8, 8)})


def test_a_video_has_no_mask(tmp_path, masks):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"any")
    for given in (masks, masks / "a.png"):
        with pytest.raises(PlanError, match=f"{given}: masks are of pictures, not of videos"):
            plan([str(clip)], tmp_path / "out", Writing(), given)


def test_a_mask_of_another_shape_fails_its_picture_alone(command, album, masks, tmp_path):
    save(masks / "deep" / "b.png", np.zeros((40, 40), np.uint8))
    code, out, told = command(album, "-o", tmp_path / "out", "--mask", masks)
    assert code == 1
    assert "1 restored, 0 skipped, 1 failed" in out
    assert "b.png: 40 x 40, of a picture 40 x 50; save the mask as large as it" in told


def test_masks_are_read_upright_at_any_size_and_depth_and_clear_parts_are_black(tmp_path):
    levels = np.array([[0, 51], [255, 102], [204, 153]], np.uint8)
    expected = levels / np.float32(255)
    grey = save(tmp_path / "grey.png", levels)
    np.testing.assert_allclose(read_mask(grey, (3, 2)), expected, atol=1e-6)
    np.testing.assert_allclose(read_mask(grey, (300, 200)), expected, atol=1e-6)
    deep = save(tmp_path / "deep.png", levels.astype(np.uint16) * 257)
    np.testing.assert_allclose(read_mask(deep, (3, 2)), expected, atol=1e-6)
    clear = np.full((3, 2, 4), 255, np.uint8)
    clear[..., 3] = levels
    painted = save(tmp_path / "painted.png", clear)
    np.testing.assert_allclose(read_mask(painted, (3, 2)), expected, atol=1e-6)
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(levels)))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    data = io.BytesIO()
    lying.save(data, "PNG", exif=exif)
    (tmp_path / "lying.png").write_bytes(data.getvalue())
    upright = read_mask(tmp_path / "lying.png", (3, 2))
    np.testing.assert_allclose(upright, expected, atol=1e-6)
    with pytest.raises(ImageError, match="save the mask"):
        read_mask(grey, (2, 3))
