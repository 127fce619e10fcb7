"""Archives of layers: the same bytes again, and readable by the trainer."""

import csv
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dataset_tools import pack as packing
from dataset_tools import photometry
from dataset_tools.build import BuildPlan, decide, find_photos, survey_photos
from dataset_tools.cli import main
from dataset_tools.engines import EnginePlan
from dataset_tools.ledger import locked
from dataset_tools.photos import decode_picture
from dataset_tools.recipe import RECIPES
from dataset_tools.render import pair_seed, render
from dataset_tools.survey import load_landmarks
from learnir.images import decode_linear
from learnir.training.archive import load_archive
from learnir.training.compositing import scattered
from learnir.training.drawing import draw_pairs


def pack(photos: Path, out: Path, *more: str) -> int:
    options = ["--licence", "public domain", "--engine", "local", "--workers", "1"]
    shadows = () if "--shadows" in more else ("--shadows", "2")
    return main(["pack", str(photos), str(out), "--size", "128", *shadows, *options, *more])


def test_packing_one_portrait(tmp_path, astronaut):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[..., ::-1])
    first, again, left = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / f".{12 * 'a'}.part"
    left.touch()  # by a run that was killed
    os.utime(left, (time.time() - 90_000,) * 2)
    assert pack(photos, first) == 0
    assert not left.exists()
    assert pack(photos, again) == 0
    assert _content(first) == _content(again)

    layers = load_archive(first).layers
    assert len(layers) == 1
    assert layers.shadows.shape == (1, 2, 128, 128)
    y, x = draw_pairs(
        layers, torch.zeros(4, dtype=torch.long), 128, (1, 1), 0.0, torch.Generator().manual_seed(0)
    )
    assert float((x - y).mean()) > 0.01  # shadows darken
    face = layers.maps[0, 1] > 128
    assert 0.05 < float(face.float().mean()) < 0.6
    assert float(layers.maps[0, 0][face].float().mean()) > 200  # the face is of the person


def test_a_folder_without_faces_is_one_line(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "grey.png"), np.full((128, 128, 3), 120, np.uint8))
    assert pack(photos, tmp_path / "a.npz") == 1
    assert "none of" in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()


def test_two_at_once_for_one_archive_are_refused(tmp_path, astronaut, capsys):
    photos, out = tmp_path / "photos", tmp_path / "a.npz"
    photos.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[..., ::-1])
    with locked(tmp_path / "a.state"):
        assert pack(photos, out) == 1
        assert f"{tmp_path / 'a.state'}: another command is at work here" in capsys.readouterr().err
        assert not out.exists()
    assert pack(photos, out) == 0


@pytest.fixture
def jobs(tmp_path, astronaut, write_variants, monkeypatch):
    """``jobs(out, stop)`` packs twelve photos, a job each, and says how many jobs it has drawn;
    ``stop``: Ctrl-C in that job."""
    write_variants(tmp_path / "photos", astronaut, 12)
    monkeypatch.setattr(packing, "PHOTOS_PER_JOB", 1)
    monkeypatch.setattr(packing, "BACKDROPS", 2)
    draw = packing.draw

    def packed(out: Path, stop: int = 99, code: int = 0) -> int:
        drawn = 0

        def counted(job):
            nonlocal drawn
            if drawn == stop:
                raise KeyboardInterrupt
            drawn += 1
            return draw(job)

        monkeypatch.setattr(packing, "draw", counted)
        assert pack(tmp_path / "photos", out) == code
        return drawn

    return packed


def test_a_stopped_pack_goes_on(tmp_path, jobs):
    out, state = tmp_path / "a.npz", tmp_path / "a.state" / ".faceshadow" / "drawn"
    every = jobs(tmp_path / "whole.npz")
    assert jobs(out, stop=5, code=130) == 5
    assert not out.exists()
    kept = sorted(state.iterdir())
    assert len(kept) == 5
    kept[0].write_bytes(kept[0].read_bytes()[:-200])  # a machine that lost power
    (state / "of another plan.npz").touch()
    assert jobs(out) == every - 4
    assert out.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not state.exists()


def test_a_photo_that_changes_meanwhile_is_named(tmp_path, jobs, monkeypatch, capsys):
    real = packing.picture_of

    def changed(source):
        source.photo.path.write_bytes(b"something else")
        return real(source)

    monkeypatch.setattr(packing, "picture_of", changed)
    jobs(tmp_path / "a.npz", code=1)
    assert ".png: changed meanwhile; run the same command again" in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()


def test_a_recipe_that_layers_cannot_redraw_is_refused(tmp_path, capsys):
    options = ["--recipe", "zhang2020", "--licence", "public domain"]
    assert main(["pack", str(tmp_path), str(tmp_path / "a.npz"), *options]) == 1
    assert "zhang2020" in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize("name", ["archive", "archive.NPZ", ".npz"])
def test_a_name_that_training_takes_for_a_folder_is_refused_at_once(tmp_path, capsys, name):
    with pytest.raises(SystemExit) as caught:
        pack(tmp_path / "nowhere", tmp_path / name)
    assert caught.value.code == 2
    assert f"{name} does not end with .npz" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_called_like_an_archive_is_refused_at_once(tmp_path, capsys):
    (tmp_path / "dir.npz").mkdir()
    with pytest.raises(SystemExit) as caught:
        pack(tmp_path / "nowhere", tmp_path / "dir.npz")
    assert caught.value.code == 2
    assert f"{tmp_path / 'dir.npz'} is a folder; give another name" in capsys.readouterr().err


def test_an_edge_keeps_its_red():
    """WebP keeps colours at half the resolution: what scatters is stored before it does."""
    rows, columns = np.indices((128, 128)) - 64
    edge = (columns + 0.3 * rows < 0).astype(np.float32)
    file = np.frombuffer(packing._webp(np.round(255 * edge).astype(np.uint8), "shadow"), np.uint8)
    stored = torch.from_numpy(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) / np.float32(255))
    skin, mm = torch.ones(1, 1, 128, 128), torch.full((1, 1, 1, 1), 0.8)
    ours = scattered(stored[None, None], skin, mm)[0].numpy()
    theirs = photometry.scatter(edge, np.ones_like(edge), 0.8).transpose(2, 0, 1)
    lag = theirs[0] - theirs[1]
    assert lag.max() > 0.1
    assert np.abs(ours[0] - ours[1] - lag)[8:-8, 8:-8].max() < 0.03


def _content(path: Path) -> dict[str, bytes]:
    with np.load(path) as archive:
        return {name: archive[name].tobytes() for name in archive.files}


def uneven_sky(layers):
    """Deviation, on the face of the only scene, of the ambient light over its mean."""
    sky, face = layers.maps[0, 6].numpy() / 255 * layers.sky_max, layers.maps[0, 1].numpy() > 128
    assert sky[face].mean() == pytest.approx(1, abs=0.05)  # of the face's own mean
    return float(sky[face].std())


def test_several_recipes_share_a_scene_and_pairs_lie_beside_it(tmp_path, astronaut, monkeypatch):
    monkeypatch.setitem(RECIPES, "sunlit", replace(RECIPES["sunlit"], beside=0.0))
    rng = np.random.default_rng(0)
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[..., ::-1])
    street = {}
    for side in ("input", "target"):
        (tmp_path / "street" / "train" / side).mkdir(parents=True)
        street[side] = cv2.resize(
            rng.integers(0, 255, (5, 9, 3), dtype=np.uint8),
            (300, 200),
            interpolation=cv2.INTER_CUBIC,
        )
        cv2.imwrite(str(tmp_path / "street" / "train" / side / "a.png"), street[side][..., ::-1])
    out = tmp_path / "all.npz"
    recipes = ("--recipe", "sunlit", "faceshadow", "--shadows", "2", "1")
    assert pack(photos, out, *recipes, "--pairs", str(tmp_path / "street")) == 0

    held = load_archive(out)
    assert held.layers.shadows.shape == (1, 3, 128, 128)
    assert held.layers.cast.tolist() == [[0, 0, 1]]
    assert [one.dyed for one in held.layers.ranges] == [0.6, 0.0]
    assert 0.05 < uneven_sky(held.layers) < 0.4
    (pair,) = held.pairs["train"]
    for side, picture in zip(("input", "target"), pair.load(), strict=True):
        assert picture.shape == (128, 192, 3)  # the shorter side as long as a scene's
        small = cv2.resize(street[side], (192, 128), interpolation=cv2.INTER_AREA)
        assert np.abs(picture.astype(int) - small).mean() < 4


def test_a_light_from_beside_makes_the_sky_of_a_scene_uneven(tmp_path, astronaut, monkeypatch):
    photos, found = tmp_path / "photos", []
    photos.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[..., ::-1])
    for beside in (0.0, 1.0):
        monkeypatch.setitem(RECIPES, "sunlit", replace(RECIPES["sunlit"], beside=beside))
        out = tmp_path / f"{beside}.npz"
        assert pack(photos, out, "--recipe", "sunlit") == 0
        found.append(uneven_sky(load_archive(out).layers))
    assert found[1] > found[0] + 0.05


def test_unevenly_lit_photos_are_taken_in_under_their_own_light(
    tmp_path, astronaut, write_variants, capsys
):
    photos = tmp_path / "photos"
    write_variants(photos, astronaut, 3)
    lit = [(f"portrait{k:03d}.png", "one person", 30 * (k > 0)) for k in range(3)]
    with (photos / "manifest.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([("path", "identity", "cheek_asym_L"), *lit])
    assert pack(photos, tmp_path / "without.npz") == 0
    assert load_archive(tmp_path / "without.npz").layers.own.tolist() == [False]
    assert pack(photos, tmp_path / "with.npz", "--uneven") == 0
    assert "3 scenes, 2 of them in uneven light, 0 pairs beside them" in capsys.readouterr().out
    held = load_archive(tmp_path / "with.npz").layers
    assert held.own.tolist() == [False, True, True]
    for base, maps in zip(held.base[1:], held.maps[1:], strict=True):
        bright = decode_linear(base.numpy().transpose(1, 2, 0)).mean(-1)
        shade, skin = maps[2].numpy() / 255 * held.shade_max, maps[5].numpy() > 200
        assert float(shade.max()) < 1.05  # over the best-lit skin's, and losses of WebP
        assert np.corrcoef(shade[skin], bright[skin])[0, 1] > 0.3  # of no light drawn at random


def test_an_uneven_photo_is_taken_in_once_and_not_beside_the_photograph_it_copies(
    tmp_path, astronaut, write_variants, capsys
):
    photos = tmp_path / "photos"
    write_variants(photos, astronaut, 2)
    lit = [("portrait000.png", 0), ("a copy.png", 30), ("portrait001.png", 30), ("other.png", 30)]
    for (original, _), (copy, _) in (lit[:2], lit[2:]):
        shutil.copy(photos / original, photos / copy)
    with (photos / "manifest.csv").open("w", newline="") as lines:
        rows = [(name, "one person", asymmetry) for name, asymmetry in lit]
        csv.writer(lines).writerows([("path", "identity", "cheek_asym_L"), *rows])
    assert pack(photos, tmp_path / "a.npz", "--uneven") == 0
    assert "2 scenes, 1 of them in uneven light" in capsys.readouterr().out


def test_validation_pairs_are_of_the_val_split_and_recipes_take_turns(
    tmp_path, astronaut, write_variants
):
    write_variants(tmp_path / "photos", astronaut, 12)
    plan = BuildPlan(
        (str(tmp_path / "photos"),), tmp_path, licence="CC0", engine=EnginePlan("local", 1)
    )
    photos = find_photos(plan)
    dealt = decide(plan, photos, survey_photos(plan, photos)).kept
    dealt = {"train": dealt["train"][:1], "val": dealt["train"][1:11]}
    recipes = (RECIPES["sunlit"], RECIPES["faceshadow"])
    layers = packing.PackPlan(shadows=(1, 1), size=64, recipes=recipes, validation=9)
    counts = packing.pack(dealt, tmp_path / "a.npz", layers, plan.engine)
    assert counts == {"scenes": 1, "uneven": 0, "pairs": 0, "val": 9}

    held = load_archive(tmp_path / "a.npz").pairs["val"]
    wanted = sorted(dealt["val"], key=lambda s: (s.bucket.name, s.photo.key))
    for number in (0, 7, 8):  # eight photos a job
        photo = wanted[number].photo
        face = load_landmarks(wanted[number].bucket, [wanted[number].facts], "")[photo.key]
        picture = decode_picture(Path(photo.path).read_bytes(), photo.key)
        seed = pair_seed(0, photo.key, 0)
        pair = render(picture, face, seed, recipes[number // 8], 64)
        for ours, exact in zip(held[number].load(), (pair.shadow, pair.clean), strict=True):
            assert np.abs(ours.astype(int) - exact).mean() < 6


def test_as_many_numbers_of_shadows_as_recipes(tmp_path, capsys):
    counts = ("--shadows", "2", "1", "3")
    assert pack(tmp_path, tmp_path / "a.npz", "--recipe", "sunlit", "faceshadow", *counts) == 1
    assert "one for each of 2 recipes; got 3" in capsys.readouterr().err


def test_pairs_that_cannot_be_read_are_named_before_the_work(
    tmp_path, astronaut, capsys, monkeypatch
):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[..., ::-1])
    for side in ("input", "target"):
        (tmp_path / "damaged" / "train" / side).mkdir(parents=True)
        (tmp_path / "damaged" / "train" / side / "a.png").write_bytes(b"no picture")
    monkeypatch.setattr(packing, "draw", None)
    for name, words in (("nowhere", "nowhere: no such folder"), ("damaged", "a: not a readable")):
        assert pack(photos, tmp_path / "a.npz", "--pairs", str(tmp_path / name)) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()
