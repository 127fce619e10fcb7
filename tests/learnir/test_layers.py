"""Compositing on the device: the renderer's own numbers, and batches that can be drawn again."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch
from archives import batched, scalar, write_archive

from dataset_tools import dye, gaussian, photometry, relight
from dataset_tools.geometry import Surface
from dataset_tools.light import Light
from dataset_tools.recipe import RECIPES
from learnir.images import linear_to_srgb, srgb_to_linear, to_tensor
from learnir.resolution import area_mean
from learnir.training import command, compositing, layers, presets
from learnir.training.archive import load_archive
from learnir.training.data import PairError

SIZE = 64


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def smooth(rng):
    """A smooth picture in linear light with a bright and a dark side."""
    noise = rng.uniform(0, 1, (6, 6, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), 0.01, 1)


def test_srgb_agrees_with_the_one_place_that_converts():
    unit = np.linspace(0, 1, 257, dtype=np.float32)
    there = compositing.decode(torch.from_numpy(unit)).numpy()
    assert np.allclose(there, srgb_to_linear(unit), atol=1e-6)
    back = compositing.encode(torch.from_numpy(there)).numpy()
    assert np.allclose(back, linear_to_srgb(there), atol=1e-5)
    assert np.allclose(back, unit, atol=1e-5)


@pytest.mark.parametrize(("share", "tint"), [(0.1, 0.2), (0.4, -0.3), (0.25, 0.0)])
def test_ambient_colour_agrees_with_the_renderer(share, tint):
    ours = compositing.ambient_colour(scalar(share), scalar(tint))[0, :, 0, 0].numpy()
    assert np.allclose(ours, photometry.ambient_colour(share, tint), atol=1e-6)
    assert ours @ photometry.LUMINANCE == pytest.approx(share, abs=1e-6)


def test_composite_and_shoulder_agree_with_the_renderer(smooth, rng):
    ambient = rng.uniform(0.1, 0.5, smooth.shape).astype(np.float32)
    visible = rng.uniform(0, 1, smooth.shape).astype(np.float32)
    ours = compositing.composite(batched(smooth), batched(ambient), batched(visible))
    assert np.allclose(ours, batched(photometry.composite(smooth, ambient, visible)), atol=1e-6)
    bright = smooth * 1.6
    assert np.allclose(
        compositing.shoulder(batched(bright)), batched(relight.shoulder(bright)), atol=1e-6
    )


def test_sensor_noise_has_the_renderers_deviation(smooth):
    darkened, a, b = smooth * 0.3, 4e-4, 2e-6
    keep = np.clip((darkened + 1e-4) / (smooth + 1e-4), 0, 1)
    theirs = photometry.sensor_noise(np.random.default_rng(0), darkened, keep, a, b)
    white = np.random.default_rng(0).standard_normal(darkened.shape, np.float32)
    ours = compositing.sensor_noise(
        batched(smooth), batched(darkened), scalar(a), scalar(b), batched(white)
    )
    assert np.allclose(ours, batched(theirs), atol=1e-7)


def test_relighting_agrees_with_the_renderer(smooth, rng):
    yy, xx = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    face = np.hypot(xx, yy) < 0.35
    depth = (60 * np.sqrt(np.clip(0.16 - xx**2 - yy**2, 0, None))).astype(np.float32)
    normals = np.dstack([xx, yy, np.full_like(xx, 0.5)]).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    skin = face.astype(np.float32)
    scene = Surface(depth, normals, face, skin, 2.0, np.array([64, 64, 0], np.float32))
    lamp = Light(-60.0, 40.0, 1.0)
    person = np.clip(2 * skin + 0.3, 0, 1).astype(np.float32)
    ambient = photometry.ambient_field(rng, photometry.ambient_colour(0.2, 0.1), (SIZE, SIZE), 0.1)
    look = relight.Look(0.8, 0.05, 1.3, 1.1, 0.9, 0.03, 0.6, None, relief=0.4)
    lit, stays = relight.relight(
        smooth, scene, person=person, light=lamp, ambient=ambient, look=look
    )
    maps = compositing.Maps(
        batched(person),
        batched(face.astype(np.float32)),
        batched(relight.direct_shading(scene, lamp)),
        batched(relight.highlight(scene, lamp)),
        batched(skin),
        scalar(scene.mm),
    )
    values = (look.strength, look.warmth, look.exposure, look.contrast, look.saturation, look.gloss)
    values += (look.relief,)
    looks = compositing.Looks(
        *map(scalar, values), scalar(look.background), scalar(0), batched(smooth)
    )
    ours_lit, ours_stays = compositing.relight(batched(smooth), maps, batched(ambient), looks)
    assert np.allclose(ours_stays, batched(stays), atol=1e-4)
    inside = (batched(person) == 1).expand_as(ours_lit)
    ratio = (ours_lit / batched(lit))[inside]
    # the exposure's percentile is read without interpolation: one factor for all pixels
    assert float(ratio.std()) < 1e-4
    assert float(ratio.mean()) == pytest.approx(1, abs=0.03)
    assert np.allclose(ours_lit[~inside], batched(lit)[~inside], atol=0.02)


@pytest.mark.parametrize("sigma", [0.2, 0.8, 3.7])
def test_blur_agrees_with_the_renderer(smooth, sigma):
    plane = smooth[..., 0] + 0.2 * np.random.default_rng(1).random((SIZE, SIZE), np.float32)
    ours = compositing.blur(batched(plane), scalar(sigma))
    assert np.allclose(ours, batched(gaussian.blur(plane, sigma)), atol=1e-3)


def test_dyeing_agrees_with_the_renderer(smooth):
    where = np.zeros((SIZE, SIZE), np.float32)
    where[40:, 10:50], where[38:40] = 1, 0.4
    one = dye.Dye(level=0.06, contrast=0.4, colour=(1.2, 1.0, 0.8), saturation=0.5)
    colour = torch.tensor(one.colour).view(1, 3, 1, 1)
    dyes = compositing.Dyes(scalar(one.level), scalar(one.contrast), colour, scalar(one.saturation))
    ours = compositing.dyed(batched(smooth), batched(where), dyes)
    # the median is read without interpolation
    assert np.allclose(ours, batched(dye.dyed(smooth, where, one)), atol=2e-3)
    few = where * 0
    few[:2, :20] = 1
    assert torch.equal(compositing.dyed(batched(smooth), batched(few), dyes), batched(smooth))


def test_jpeg_keeps_what_a_real_encoder_keeps(rng):
    grey = cv2.resize(rng.uniform(0, 1, (9, 9)).astype(np.float32), (SIZE, SIZE))
    grey = np.clip(grey + rng.normal(0, 0.05, grey.shape).astype(np.float32), 0, 1)
    picture = (255 * grey + 0.5).astype(np.uint8)
    for quality in (40, 75, 95):
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        theirs = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32)
        ours = compositing.jpeg(
            batched(np.dstack([picture] * 3) / np.float32(255)), scalar(quality)
        )
        ours = 255 * ours[0, 0].numpy()
        assert np.abs(ours - theirs).mean() < 0.6  # encoders round their transform
        assert np.abs(ours - picture).mean() == pytest.approx(
            np.abs(theirs - picture).mean(), rel=0.15, abs=0.1
        )


@pytest.fixture
def archive(tmp_path, rng):
    return write_archive(tmp_path / "layers.npz", rng)


def draw(loaded, seed, clean=0.0, size=32):
    generator = torch.Generator().manual_seed(seed)
    return layers.draw_pairs(loaded, torch.arange(5), size, (0.6, 1.1), clean, generator)


def test_batches_are_functions_of_the_seed(archive):
    loaded = load_archive(archive).layers
    first, again, other = draw(loaded, 1), draw(loaded, 1), draw(loaded, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    for part in first:
        assert part.shape == (5, 3, 32, 32)
        assert part.isfinite().all()
        assert float(part.abs().max()) <= 1


def test_shadows_darken_and_clean_pairs_do_not(archive):
    loaded = load_archive(archive).layers
    y, x = draw(loaded, 3)
    assert float((x - y).mean()) > 0.05
    y, x = draw(loaded, 3, clean=1.0)
    assert float((x - y).abs().mean()) < 0.05  # JPEG and rounding at most


def test_the_ranges_are_the_recipes(archive):
    ranges, recipe = load_archive(archive).layers.ranges[0], RECIPES["sunlit"]
    for name in layers.RECIPE:
        assert tuple(np.ravel(getattr(ranges, name))) == tuple(np.ravel(getattr(recipe, name)))
    assert ranges.strong == pytest.approx(0.05 / 0.97)


def test_every_shadow_brings_the_ranges_of_its_own_recipe(tmp_path, rng):
    path = write_archive(tmp_path / "both.npz", rng, ("sunlit", "faceshadow"), (2, 1))
    loaded = load_archive(path).layers
    assert loaded.cast.tolist() == [[0, 0, 1]] * 5
    chosen = loaded.ranges_of(torch.tensor([4, 0, 2, 2]), torch.tensor([2, 0, 1, 2]))
    for name in layers.RECIPE:
        sunlit, faceshadow = (np.ravel(getattr(one, name)) for one in loaded.ranges)
        ours = getattr(chosen, name)
        columns = ours if isinstance(ours, tuple) else (ours,)
        assert all(column.shape == (4, 1, 1, 1) for column in columns)
        rows = np.stack([column.ravel().numpy() for column in columns], axis=1)
        assert np.allclose(rows, [faceshadow, sunlit, sunlit, faceshadow])
        assert tuple(rows[1]) == tuple(np.float32(sunlit))


def test_pairs_of_two_recipes_are_drawn_as_pairs_of_each(tmp_path, rng):
    """With the same shadows under both, a pair is what an archive of its recipe alone gives."""
    both = load_archive(
        write_archive(tmp_path / "both.npz", rng, ("sunlit", "faceshadow"), (1, 1))
    ).layers
    both = dataclasses.replace(both, shadows=both.shadows[:, :1].repeat(1, 2, 1, 1, 1))
    which = torch.rand(5, 1, 1, 1, generator=torch.Generator().manual_seed(6)) * 2
    recipe = which.view(-1).long()  # the first number that a batch draws
    assert 0 < int(recipe.sum()) < 5
    y, x = draw(both, 6)
    for number, one in enumerate(both.ranges):
        alone = dataclasses.replace(
            both, ranges=(one, one), cast=torch.tensor([[0, 1]]).expand(5, 2)
        )
        if number == 1:  # of sunlit alone cloth is dyed, which takes numbers from the generator
            dyed = dataclasses.replace(one, dyed=1e-9)
            alone = dataclasses.replace(alone, ranges=(dyed, dyed))
        y_alone, x_alone = draw(alone, 6)
        assert torch.allclose(y[recipe == number], y_alone[recipe == number], atol=1e-5)
        assert torch.allclose(x[recipe == number], x_alone[recipe == number], atol=1e-5)
        assert not torch.allclose(y[recipe != number], y_alone[recipe != number], atol=1e-3)


def test_joined_archives_are_drawn_from_as_each_alone(tmp_path, rng):
    """In one go, and the same pairs as from the archive that a scene came from."""
    recipes = (("sunlit", "faceshadow"), ("faceshadow", "sunlit"))
    parts = [
        load_archive(write_archive(tmp_path / f"{i}.npz", rng, names, (2, 1))).layers
        for i, names in enumerate(recipes)
    ]
    (both,) = layers.joined(parts)
    assert len(both) == 10
    for first, part in zip((0, 5), parts, strict=True):
        behind = dataclasses.replace(both, backdrops=part.backdrops)  # else others are drawn
        made = [
            layers.draw_pairs(
                of, torch.arange(5) + n, 32, (0.6, 1.1), 0.2, torch.Generator().manual_seed(8)
            )
            for of, n in ((part, 0), (behind, first))
        ]
        assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))
    assert both.backdrops.shape[0] == sum(part.backdrops.shape[0] for part in parts)


def test_layers_of_other_sizes_stay_by_themselves(tmp_path, rng):
    counts = ((3,), (2,), (3,))
    parts = [
        load_archive(write_archive(tmp_path / f"{i}.npz", rng, shadows=n)).layers
        for i, n in enumerate(counts)
    ]
    assert [(len(one), one.shadows.shape[1]) for one in layers.joined(parts)] == [(10, 3), (5, 2)]


def test_pairs_beside_the_layers_train_and_validate(tmp_path, rng):
    path = write_archive(tmp_path / "all.npz", rng, pairs={"train": 3, "val": 2})
    held = load_archive(path).pairs
    assert [len(held["train"]), len(held["val"])] == [3, 2]
    y, x = held["train"][0].load()
    assert y.shape == x.shape == (32, 32, 3)
    assert not np.array_equal(y, x)
    config = presets.PRESETS["smoke"]
    run = command.prepare_run(config, [path], tmp_path / "run", None, "cpu")
    assert len(run.source) == 5 + 3
    wanted = [cv2.resize(p.load()[1], (64, 64), interpolation=cv2.INTER_AREA) for p in held["val"]]
    assert torch.equal(run.validation[1], to_tensor(np.stack(wanted)))
    last = command.train("smoke", [path], tmp_path / "trained", device="cpu")
    record = json.loads((last / "training.json").read_text())
    assert (record["scenes"], record["pairs"]) == (5, 3)


def test_a_number_of_pairs_is_refused_where_there_are_none_to_count(tmp_path, rng, archive):
    """Else all layers would be trained on, as though --pairs had not been given."""
    none = write_archive(tmp_path / "val.npz", rng, pairs={"train": 0, "val": 2})
    for given in ([archive], [none], [archive, none]):
        with pytest.raises(PairError, match="--pairs counts pairs, and the archives"):
            command.train("smoke", given, tmp_path / "run", pairs=1, device="cpu")
    assert not (tmp_path / "run").exists()
    some = write_archive(tmp_path / "all.npz", rng, pairs={"train": 3, "val": 2})
    options = {"pairs": 1, "iterations": [1, 0], "device": "cpu"}
    last = command.train("smoke", [some], tmp_path / "run", **options)
    record = json.loads((last / "training.json").read_text())
    assert (record["scenes"], record["pairs"]) == (5, 1)


def test_an_archive_of_another_format_is_named(archive):
    with np.load(archive) as old:
        np.savez(archive, **{name: old[name] for name in ("about", "lengths", "blob")})
    with pytest.raises(PairError, match="faceshadow pack"):
        load_archive(archive)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", b"text"])
def test_a_file_that_is_no_archive_is_named(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(PairError, match=r"bad\.npz"):
        load_archive(path)


def test_shadows_for_reduced_pictures_give_the_mean_of_the_picture(rng):
    """An edge through blocks of one colour: as dark as the mean of what the sampler averages."""
    visible = torch.zeros(1, 3, 32, 32)
    for row in range(32):
        visible[..., row, : 5 + row // 2] = 1
    base, f = torch.full((1, 3, 32, 32), 0.5), 4

    def encoded(base, visible):
        ambient = torch.full_like(base, 0.15)
        return compositing.encode(compositing.composite(base, ambient, visible))

    exact = area_mean(encoded(base, visible), f)
    ours = encoded(area_mean(base, f), compositing.reduced_visibility(visible, f))
    naive = encoded(area_mean(base, f), area_mean(visible, f))
    assert float((ours - exact).abs().max()) < 0.01
    assert float((naive - exact).abs().max()) > 0.05
    assert torch.equal(compositing.reduced_visibility(visible, 1), visible)


def test_reduced_pairs_are_whole_ones_reduced(archive):
    loaded = load_archive(archive).layers
    plain = dataclasses.replace(loaded.ranges[0], noisy=0.0, jpeg=0.0, relit=0.0, dyed=0.0)
    loaded = dataclasses.replace(loaded, ranges=(plain,))

    def whole_view(size):
        generator = torch.Generator().manual_seed(4)
        return layers.draw_pairs(loaded, torch.arange(5), size, (1, 1), 0.0, generator)

    (y, x), (y_large, x_large) = whole_view(16), whole_view(32)
    assert torch.allclose(x, area_mean(x_large, 2), atol=1e-4)
    # of noise for shadows, block by block nearly the same, and the same on the whole
    error = y - area_mean(y_large, 2)
    assert float(error.abs().mean()) < 0.03
    assert abs(float(error.mean())) < 0.005


def test_archives_and_folders_train_together(archive, tmp_path, rng):
    for side in ("input", "target"):
        (tmp_path / "pairs" / "train" / side).mkdir(parents=True)
        for i in range(3):
            picture = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "pairs" / "train" / side / f"{i}.png"), picture)
    config = presets.PRESETS["smoke"]
    run = command.prepare_run(config, [archive, tmp_path / "pairs"], tmp_path / "run", None, "cpu")
    assert len(run.source) == 5 + 3
    stage = dataclasses.replace(config.stages[0], size=32)
    generator = torch.Generator().manual_seed(0)
    # one epoch of the stream holds every pair once, whichever store it is in
    shares = run.source.prepare(stage, 0, 8, np.random.default_rng(0))
    counts = {type(store).__name__: len(prepared[0]) for store, prepared in shares}
    assert counts == {"Scenes": 5, "Pairs": 3}
    y, x = run.source.finish(stage, shares, generator)
    assert y.shape == x.shape == (8, 3, 32, 32)


def test_training_from_an_archive(archive, tmp_path, rng):
    for side in ("input", "target"):
        (tmp_path / "val" / side).mkdir(parents=True)
        for i in range(40):  # names are dealt to the splits by their hash
            picture = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "val" / side / f"{i}.png"), picture)
    last = command.train(
        "smoke", [archive], tmp_path / "run", validation=tmp_path / "val", device="cpu"
    )
    record = json.loads((last / "training.json").read_text())
    assert record["scenes"] == 5
    assert len(record["archives_sha256"][0]) == 64


def test_an_archive_needs_pairs_to_validate_on(archive, tmp_path):
    with pytest.raises(PairError, match="--validation"):
        command.train("smoke", [archive], tmp_path / "run", device="cpu")
