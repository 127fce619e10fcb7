"""Pairs drawn from layers: batches that can be drawn again, and the archives they come from."""

import dataclasses
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from archives import write_archive

from dataset_tools.recipe import RECIPES
from learnir.images import linear_to_srgb, srgb_to_linear, to_tensor
from learnir.resolution import area_mean
from learnir.training import command, compositing, drawing, layers, presets
from learnir.training.archive import load_archive
from learnir.training.data import PairError


@pytest.fixture
def archive(tmp_path, rng):
    return write_archive(tmp_path / "layers.npz", rng)


def draw(loaded, seed, clean=0.0, size=32):
    generator = torch.Generator().manual_seed(seed)
    return drawing.draw_pairs(loaded, torch.arange(5), size, (0.6, 1.1), clean, generator)


def test_scattering_is_drawn_within_the_recipes_range(archive, monkeypatch):
    loaded, seen = load_archive(archive).layers, []
    scattered = compositing.scattered

    def watched(visible, skin, mm):
        seen.append(mm)
        return scattered(visible, skin, mm)

    monkeypatch.setattr(compositing, "scattered", watched)
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        drawing.draw_pairs(loaded, torch.arange(5), 32, (1, 1), 0.0, generator)
    low, high = RECIPES["sunlit"].scattering
    factors = 1.2 / torch.cat(seen).flatten()  # mm a pixel, as the archive says
    assert low <= float(factors.min()) < 1.1 * low
    assert 0.9 * high < float(factors.max()) <= high
    assert float(factors.log().mean()) == pytest.approx((np.log(low) + np.log(high)) / 2, abs=0.1)


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


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_views_are_turned_either_way(archive, turn):
    loaded = load_archive(archive).layers
    plain = dataclasses.replace(loaded.ranges[0], relit=0.0, dyed=0.0, noisy=0.0, jpeg=0.0)
    base = torch.zeros_like(loaded.base)
    base[..., 14:18, 26:29] = 255  # right of the middle, 11.5 pixels from it
    loaded = dataclasses.replace(loaded, base=base, ranges=(plain,))
    generator = torch.Generator().manual_seed(0)
    angles = []
    for _ in range(12):
        _, x = drawing.draw_pairs(loaded, torch.arange(5), 32, (1, 1), 1.0, generator, turn)
        for picture in (x.mean(dim=1) + 1).double():
            rows, columns = torch.meshgrid(*[torch.arange(32) - 15.5] * 2, indexing="ij")
            down, right = ((picture * to).sum() / picture.sum() for to in (rows, columns))
            assert float(torch.hypot(down, right)) == pytest.approx(11.5, abs=0.4)
            angles.append(float(torch.rad2deg(torch.atan2(down, right.abs()))))
    assert max(map(abs, angles)) <= turn + 1
    assert min(angles) <= -0.8 * turn
    assert max(angles) >= 0.8 * turn


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
    both = dataclasses.replace(both, shadows=both.shadows[:, :1].repeat(1, 2, 1, 1))
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
            drawing.draw_pairs(
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


def test_scenes_that_keep_their_light_are_never_relit(tmp_path, rng):
    loaded = load_archive(write_archive(tmp_path / "own.npz", rng, own=5)).layers
    assert loaded.own.all()
    always = dataclasses.replace(loaded.ranges[0], relit=1.0, dyed=0.0, noisy=0.0, jpeg=0.0)
    never = dataclasses.replace(always, relit=0.0)

    def drawn(ranges, **changes):
        one = dataclasses.replace(loaded, ranges=(ranges,), **changes)
        generator = torch.Generator().manual_seed(2)
        return drawing.draw_pairs(one, torch.arange(5), 32, (1, 1), 0.0, generator)

    (y, x), (y_never, x_never) = drawn(always), drawn(never)
    assert torch.equal(x, x_never)
    assert torch.equal(y, y_never)
    none = torch.zeros(5, dtype=torch.bool)
    y_even, x_even = drawn(never, own=none)
    assert torch.equal(x, x_even)
    assert float((y - y_even).mean()) > 0.01  # what little light falls somewhere, less goes
    _, x_relit = drawn(always, own=none)
    assert float((x - x_relit).abs().mean()) > 0.05


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
        content = {name: old[name] for name in old.files}
    np.savez(archive, **{name: content[name] for name in ("about", "lengths", "blob")})
    with pytest.raises(PairError, match="faceshadow pack"):
        load_archive(archive)
    about = json.loads(content["about"].tobytes()) | {"maps": layers.MAPS[:5]}  # as it was once
    content["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(archive, **content)
    with pytest.raises(PairError, match="faceshadow pack"):
        load_archive(archive)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", b"text"])
def test_a_file_that_is_no_archive_is_named(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(PairError, match=r"bad\.npz"):
        load_archive(path)


@pytest.mark.parametrize(("grain", "mirrored"), [(1, 0.0), (8, 0.08)])
def test_reduced_pairs_are_whole_ones_reduced(archive, grain, mirrored):
    """What is mirrored is added to means of blocks: where neighbours are unlike, that differs."""
    loaded = load_archive(archive).layers
    still = dict.fromkeys(("noisy", "jpeg", "relit", "dyed"), 0.0)
    plain = dataclasses.replace(loaded.ranges[0], **still, mirrored=(mirrored, mirrored))
    coarse = area_mean(loaded.base.float(), grain)
    base = torch.nn.functional.interpolate(coarse, scale_factor=grain, mode="bilinear")
    loaded = dataclasses.replace(loaded, ranges=(plain,), base=base.round().byte())

    def whole_views(size, seed):
        generator = torch.Generator().manual_seed(seed)
        return drawing.draw_pairs(loaded, torch.arange(5), size, (1, 1), 0.0, generator)

    errors = []
    for seed in range(20):
        (y, x), (y_large, x_large) = whole_views(16, seed), whole_views(32, seed)
        assert torch.allclose(x, area_mean(x_large, 2), atol=1e-4)
        errors.append(y - area_mean(y_large, 2))
    # of noise for shadows, block by block nearly the same, and the same on the whole
    error = torch.stack(errors)
    assert float(error.abs().mean()) < 0.03
    assert abs(float(error.mean())) < 0.005


def test_powers_are_a_shadows_and_its_channels_own():
    archive_says = layers.RECIPE
    assert "bend" not in archive_says  # a constant of training, whatever the recipe
    draws = drawing.Draws(20_000, torch.Generator().manual_seed(3))
    powers = drawing.draw_powers(draws, SimpleNamespace(bend=(0.3, 0.1))).log().flatten(1)
    assert float(powers.mean(1).std()) == pytest.approx((0.3**2 + 0.1**2 / 3) ** 0.5, rel=0.03)
    assert float((powers - powers.mean(1, keepdim=True)).pow(2).sum(1).mean() / 2) ** 0.5 == (
        pytest.approx(0.1, rel=0.03)
    )


@pytest.mark.parametrize(("level", "same"), [(0, True), (128, False), (255, True)])
def test_bending_moves_edges_alone(archive, level, same):
    loaded = load_archive(archive).layers
    loaded = dataclasses.replace(loaded, shadows=torch.full_like(loaded.shadows, level))
    made = []
    for bend in ((0.0, 0.0), (0.5, 0.2)):
        ranges = tuple(dataclasses.replace(one, bend=bend) for one in loaded.ranges)
        made.append(draw(dataclasses.replace(loaded, ranges=ranges), 5))
    (y, x), (y_bent, x_bent) = made
    assert torch.equal(x, x_bent)
    assert (float((y - y_bent).abs().mean()) < 1e-4) == same


@pytest.mark.parametrize("what", ["curve", "toe", "highlights", "mirrored"])
@pytest.mark.parametrize(("level", "same"), [(0, False), (255, True)])
def test_cameras_and_highlights_change_what_is_in_shadow_alone(archive, level, same, what):
    loaded = load_archive(archive).layers
    loaded = dataclasses.replace(loaded, shadows=torch.full_like(loaded.shadows, level))
    made = []
    levels = {"curve": (1.0, 1.7), "toe": (0.0, 0.06), "highlights": (0.0, 1.0)}
    for drawn in (levels | {"mirrored": (0.0, 0.08)})[what]:
        changes = {what: (drawn, drawn), "relit": 0.0, "noisy": 0.0}
        ranges = tuple(dataclasses.replace(one, **changes) for one in loaded.ranges)
        made.append(draw(dataclasses.replace(loaded, ranges=ranges), 5))
    (y, x), (y_curved, x_curved) = made
    assert torch.equal(x, x_curved)
    assert (float((y - y_curved).abs().mean()) < 1e-4) == same
    assert float((y - y_curved).mean().abs()) < 0.1  # about as deep as before: less even


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("camera", [{}, {"curve": (1.7, 1.7)}, {"toe": (0.06, 0.06)}])
def test_a_shadow_over_all_leaves_no_trace_of_where_the_key_was(archive, camera, own):
    """A grey person lit from one side, in new light or in the one it has: all is equally dark."""
    loaded = load_archive(archive).layers
    full, none = torch.full_like(loaded.maps[:, 0], 255), torch.zeros_like(loaded.maps[:, 0])
    shade = torch.full_like(full, round(255 / loaded.shade_max))
    base, half = torch.full_like(loaded.base, 160), shade.shape[-1] // 2
    shade[..., half:] //= 2
    if own:  # is in the picture already
        dimmed = linear_to_srgb(srgb_to_linear(np.full(1, 160 / 255, np.float32)) / 2)
        base[..., half:] = round(255 * float(dimmed[0]))
    nothing = ("sky", "warmth", "relief", "sheen", "exposure", "toe", "highlights", "mirrored")
    still = dict.fromkeys(nothing, (0.0, 0.0)) | dict.fromkeys(("strength", "curve"), (1.0, 1.0))
    still |= dict.fromkeys(("ambient_spread", "noisy", "jpeg", "backdrop", "dyed"), 0.0)
    still |= {"ambient": (0.1, 0.1), "contrast": (1.0, 1.0), "relit": 1.0}
    grey = dataclasses.replace(
        loaded,
        base=base,
        maps=torch.stack([full, full, shade, none, none, full, full], dim=1),
        shadows=torch.zeros_like(loaded.shadows),
        own=torch.full_like(loaded.own, own),
        ranges=tuple(dataclasses.replace(one, **still | camera) for one in loaded.ranges),
    )
    y, x = draw(grey, 5)
    assert float(x.amax(3).sub(x.amin(3)).mean()) > 0.2
    assert float(y.amax(3).sub(y.amin(3)).mean()) < 0.02


@pytest.mark.parametrize("camera", [{"curve": (1.7, 1.7)}, {"toe": (0.06, 0.06)}])
def test_skin_in_shadow_is_seen_as_uneven_behind_any_camera(archive, camera):
    """Skin of usual brightness: the sky that reaches it differs, and a curve does not add to it."""
    loaded = load_archive(archive).layers
    full, none = torch.full_like(loaded.maps[:, 0], 255), torch.zeros_like(loaded.maps[:, 0])
    sky = torch.full_like(full, 90)
    sky[..., sky.shape[-1] // 2 :] = 180
    skin = linear_to_srgb(np.full(1, compositing.SKIN, np.float32))
    still = dict.fromkeys(("relit", "ambient_spread", "noisy", "jpeg", "dyed"), 0.0)
    still |= dict.fromkeys(("highlights", "mirrored"), (0.0, 0.0))
    still |= {"ambient": (0.1, 0.1), "sky": (1.0, 1.0)}
    made = []
    for behind in ({"curve": (1.0, 1.0), "toe": (0.0, 0.0)}, {"toe": (0.0, 0.0)} | camera):
        grey = dataclasses.replace(
            loaded,
            base=torch.full_like(loaded.base, round(255 * float(skin[0]))),
            maps=torch.stack([full, full, full, none, none, full, sky], dim=1),
            shadows=torch.zeros_like(loaded.shadows),
            ranges=tuple(dataclasses.replace(one, **still | behind) for one in loaded.ranges),
        )
        made.append(draw(grey, 5)[0])
    plain, curved = made
    assert float(plain.amax(3).sub(plain.amin(3)).mean()) > 0.1
    assert float((plain - curved).abs().max()) < 0.03


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
