import copy
import json
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from learnir import LearnIR
from learnir.checkpoint import CheckpointError
from learnir.device import choose_device
from learnir.exif import ORIENTATION
from learnir.images import to_unit
from learnir.model import LearnIRModel
from learnir.restoration import Restoration

pytestmark = pytest.mark.usefixtures("faceless")


class Pointwise(torch.nn.Module):
    """A denoiser that looks at single pixels: what it does cannot depend on where tiles end."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, pictures, level):
        z_t, z_y = pictures
        return 0.5 * torch.tanh(z_y) - 0.1 + 0.05 * z_t


def test_a_picture_is_the_same_within_autocast(learnir, scene):
    """A caller's own network may run with less precision around it."""
    picture = scene(64, 48)
    as_ever, all_as_ever = learnir.restore(picture).picture, learnir.restore_all(picture[None])
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(learnir.restore(picture).picture, as_ever)
        assert np.array_equal(learnir.restore_all(picture[None]), all_as_ever)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (5, 3), (16, 16), (64, 64), (65, 130), (300, 41)]
)
@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
def test_every_size_comes_back_changed_at_its_own_size(learnir, scene, size, mode):
    picture = scene(*size)
    result = learnir.restore(picture, mode=mode)
    assert result.picture.shape == picture.shape
    assert result.picture.dtype == np.uint8
    assert not np.array_equal(result.picture, picture)
    assert result.gain.dtype == np.float32
    assert np.isfinite(result.gain).all()
    assert result.seconds > 0
    native = max(size) <= 64
    assert result.mode == {"auto": "native" if native else "gain"}.get(mode, mode)


@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
def test_one_seed_gives_one_picture_and_another_another(learnir, scene, mode):
    picture = scene(100, 90)
    first, again, other = (
        learnir.restore(picture, mode=mode, seed=seed, correction="none").picture
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
@pytest.mark.parametrize("size", [(60, 50), (150, 130)])
def test_strength_is_blended_without_the_network(learnir, scene, size, mode, monkeypatch):
    picture = scene(*size)
    result = learnir.restore(picture, mode=mode)
    half = learnir.restore(picture, mode=mode, strength=0.5)
    monkeypatch.setattr(LearnIRModel, "sample", lambda *_, **__: pytest.fail("ran the network"))
    assert np.array_equal(result.at_strength(0), picture)
    assert np.array_equal(result.at_strength(1), result.picture)
    assert np.array_equal(result.at_strength(0.5), half.picture)
    change = [np.abs(result.at_strength(s).astype(int) - picture).mean() for s in (0.5, 1, 1.5)]
    assert 0 < change[0] < change[1] < change[2]
    with pytest.raises(ValueError, match="strength"):
        result.at_strength(1.6)


def test_the_mask_is_where_the_gain_is():
    stops = np.zeros((20, 30, 3), np.float32)
    stops[:, :15] = 1
    observed = np.zeros((200, 150, 3), np.uint8)
    mask = Restoration(observed, stops, "gain", 0.0, (), observed, None, None).shadow_mask()
    assert mask.shape == (200, 150)
    assert mask.dtype == np.uint8
    assert (mask[:, :72] == 255).all()  # of 75, up to half a pixel of the gain from the middle
    assert (mask[:, 78:] == 0).all()


def test_tiles_of_a_pointwise_network_equal_one_native_run(learnir, scene):
    """Same noise in every tile, weights that add up to one: no seam can be seen."""
    learnir.model.denoiser = Pointwise()
    picture = scene(210, 170, np.uint16)
    for correction in ("exact", "none"):
        for scales in ("drm", "fixed"):
            options = {"scales": scales, "correction": correction}
            native = learnir.restore(picture, work_size=256, **options)
            tiled = learnir.restore(picture, mode="tile", work_size=64, **options)
            away = np.abs(native.picture.astype(int) - tiled.picture)
            assert native.mode == "native"
            # DRM interpolates the residual, and only there a tile's border differs
            assert away.max() <= (2 if scales == "fixed" else 300)
            assert away.mean() < 15


def test_progress_counts_evaluations_and_can_cancel(learnir, scene):
    seen = []
    learnir.restore(scene(50, 50), progress=lambda *x: seen.append(x))
    assert seen == [(i, 5) for i in range(1, 6)]
    seen.clear()
    learnir.restore(scene(100, 60), mode="tile", progress=lambda *x: seen.append(x), steps=4)
    assert seen[0] == (1, 8)
    assert seen[-1] == (8, 8)

    seen.clear()
    learnir.restore(scene(50, 50), mirror=True, progress=lambda *x: seen.append(x))
    assert seen == [(i, 5) for i in range(1, 6)]

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        seen.append((done, total))
        raise Cancelled

    seen.clear()
    with pytest.raises(Cancelled):
        learnir.restore(scene(50, 50), progress=cancel)
    assert seen == [(1, 5)]


def test_trajectory_shows_every_step(learnir, scene):
    steps = learnir.restore(scene(200, 120), trajectory=True).trajectory
    assert [(t, s) for t, s, _ in steps] == [(5, 4), (4, 4), (3, 2), (2, 1), (1, 1)]
    sizes = [p.shape[:2] for _, _, p in steps]
    assert sizes == [(16, 10), (32, 19), (64, 38), (64, 38), (64, 38)]
    assert all(p.dtype == np.uint8 for _, _, p in steps)
    assert learnir.restore(scene(50, 50)).trajectory == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "tiles"}, "did you mean tile"),
        ({"strength": 2}, "strength"),
        ({"work_size": 8}, "work_size"),
        ({"steps": 1}, "steps"),
        ({"schedule": "quadratic"}, "known: linear, cosine"),
        ({"scales": (1, 2)}, "scales"),
        ({"scales": "dmr"}, "scales"),
        ({"correction": "exakt"}, "did you mean exact"),
        ({"correction": "learned"}, "use correction 'exact'"),
        ({"weight": 1.5}, "weight"),
        ({"eta": -1}, "eta"),
    ],
)
def test_options_that_do_not_fit_are_named(learnir, scene, options, words):
    for use in (learnir.check, lambda **o: learnir.restore(scene(20, 20), **o)):
        with pytest.raises(ValueError, match=words):
            use(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 8},
        {"steps": 5, "schedule": "cosine"},
        {"scales": "fixed"},
        {"scales": (1, 2, 4, 2, 1)},
        {"correction": "paper", "weight": 0.2},
        {"correction": "none", "eta": 0.0},
        {"mirror": True},
    ],
)
def test_options_reach_the_sampler(learnir, scene, options):
    picture = scene(60, 60)
    learnir.check(**options)
    default = learnir.restore(picture).picture
    assert not np.array_equal(learnir.restore(picture, **options).picture, default)


def test_the_learned_correction_is_added_to_what_is_taken_away(branched, scene):
    picture, model = scene(60, 60), copy.deepcopy(branched.model)
    exact = branched.restore(picture, correction="exact").picture
    untrained = branched.restore(picture, correction="learned").picture
    assert np.array_equal(untrained, exact)
    torch.nn.init.constant_(model.corrector.exit.bias, 0.1)
    trained = LearnIR(model)
    darker = trained.restore(picture, correction="learned")
    assert np.isfinite(darker.gain).all()
    assert darker.picture.mean() < exact.mean() - 3
    assert np.array_equal(trained.restore(picture, correction="exact").picture, exact)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4)), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), "a.png"],
)
def test_what_is_not_a_picture_is_refused(learnir, picture):
    with pytest.raises((TypeError, ValueError), match="picture is"):
        learnir.restore(picture)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(64, 64), (9, 40), (61, 50)])
def test_together_pictures_become_what_each_becomes_alone(learnir, scene, size, depth):
    pictures = np.stack([scene(*size, seed=seed) for seed in range(3)]).astype(depth)
    pictures *= np.iinfo(depth).max // 255
    counted = []
    together = learnir.restore_all(pictures, seed=2, steps=4, progress=lambda *n: counted.append(n))
    alone = [learnir.restore(p, seed=2, steps=4, faces=False).picture for p in pictures]
    assert together.dtype == depth
    apart = np.abs(together.astype(int) - np.stack(alone))
    assert apart.max() <= np.iinfo(depth).max // 255  # rounding
    assert apart.mean() < 0.01 * np.iinfo(depth).max / 255
    assert counted == [(3 * k, 12) for k in range(1, 5)]


def test_together_refuses_what_alone_is_refused(learnir, scene):
    with pytest.raises((TypeError, ValueError), match="picture is"):
        learnir.restore_all(scene(20, 20))
    with pytest.raises(ValueError, match="weight"):
        learnir.restore_all(scene(20, 20)[None], weight=3.0)


@pytest.mark.parametrize("mode", ["auto", "gain", "tile"])
@pytest.mark.parametrize("size", [(160, 120), (300, 200)])
def test_when_memory_runs_out_the_sizes_shrink(learnir, scene, monkeypatch, mode, size):
    sample, sides = learnir.model.sample, []

    def small_only(y, **options):
        sides.append(max(y.shape[-2:]))
        if sides[-1] > 130:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return sample(y, **options)

    monkeypatch.setattr(learnir.model, "sample", small_only)
    result = learnir.restore(scene(*size), mode=mode, work_size=256)
    assert result.picture.shape == (*size, 3)
    assert sides[0] > 130
    assert sides[-1] <= 130


def test_peak_memory_does_not_grow_with_the_picture(learnir, scene, monkeypatch):
    """Beyond input and output, 6 megapixels need less than 100 MB."""
    monkeypatch.undo()  # that of the search for faces counts
    picture = np.tile(scene(500, 500), (4, 6, 1))
    tracemalloc.start()
    try:
        result = learnir.restore(picture)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.mode == "gain"
    assert peak < picture.nbytes + 100e6


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pil_images_keep_their_mode(learnir, scene, mode):
    if mode == "I;16":
        image = Image.fromarray(scene(40, 60, np.uint16)[..., 0])
    else:
        image = Image.fromarray(scene(40, 60)).convert(mode)
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    restored = learnir(image)
    assert restored.mode == mode
    assert restored.size == image.size
    assert not np.array_equal(np.asarray(restored), np.asarray(image))
    if "A" in mode:
        assert np.array_equal(np.asarray(restored)[..., -1], np.asarray(image)[..., -1])


@pytest.mark.parametrize(("mode", "expected"), [("P", "RGB"), ("CMYK", "RGB"), ("1", "L")])
def test_other_pil_modes_become_plain_ones(learnir, scene, mode, expected):
    assert learnir(Image.fromarray(scene(30, 30)).convert(mode)).mode == expected
    with pytest.raises(TypeError, match="as a uint16 array"):
        learnir(Image.new("F", (8, 8)))


def test_a_turned_pil_image_is_restored_upright(learnir, scene):
    image = Image.fromarray(scene(40, 60))
    image.getexif()[ORIENTATION] = 6
    turned = ImageOps.exif_transpose(image)
    expected = np.asarray(learnir(turned))
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(learnir(image))), expected)


def test_arrays_and_tensors_come_back_as_what_they_were(learnir, scene):
    four = np.dstack([scene(30, 40), scene(30, 40)[..., 0]])
    for pixels in (scene(30, 40)[..., 0], scene(30, 40, np.uint16), four):
        restored = learnir(pixels)
        assert restored.dtype == pixels.dtype
        assert restored.shape == pixels.shape
    picture = scene(30, 40, np.uint16)
    tensor = torch.from_numpy(to_unit(picture).transpose(2, 0, 1))
    single, batch = learnir(tensor), learnir(torch.stack([tensor, tensor]).double())
    expected = to_unit(learnir(picture)).transpose(2, 0, 1)
    assert np.allclose(single.numpy(), expected, atol=1e-6)
    assert batch.dtype == torch.float64
    assert batch.shape == (2, 3, 30, 40)
    for wrong in (tensor[0], (tensor * 255).to(torch.uint8), scene(8, 8).astype(float), [1, 2]):
        with pytest.raises(TypeError):
            learnir(wrong)


def test_a_saved_pipeline_restores_the_same(learnir, scene, tmp_path):
    folder = learnir.save_pretrained(tmp_path / "saved")
    loaded = LearnIR.from_pretrained(folder, device="cpu")
    assert json.dumps(loaded.config.to_json()) == json.dumps(learnir.config.to_json())
    assert loaded.training == {"seed": 7}
    assert loaded.device == torch.device("cpu")
    again = LearnIR.from_pretrained(loaded.save_pretrained(tmp_path / "again"))
    picture = scene(60, 60)
    assert np.array_equal(loaded.restore(picture).picture, again.restore(picture).picture)
    card = (tmp_path / "again" / "README.md").read_text()
    assert card.startswith("---\n")
    assert card == (tmp_path / "saved" / "README.md").read_text()


def test_pushing_uploads_what_saving_writes(learnir, scene, tmp_path, monkeypatch):
    import shutil

    import huggingface_hub

    hub = tmp_path / "hub"

    class LocalHub:
        def __init__(self, token=None):
            assert token == "secret"

        def create_repo(self, repo_id, repo_type, private, exist_ok):
            assert (repo_id, repo_type, private, exist_ok) == ("me/faces", "model", True, True)

        def upload_folder(self, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, hub / repo_id)
            return f"https://hub/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", LocalHub)
    assert learnir.push_to_hub("me/faces", private=True, token="secret") == "https://hub/me/faces"
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda repo_id, **_: str(hub / repo_id)
    )
    monkeypatch.chdir(tmp_path)
    loaded = LearnIR.from_pretrained("me/faces")
    picture = scene(50, 60)
    folder = learnir.save_pretrained(tmp_path / "local")
    expected = LearnIR.from_pretrained(folder).restore(picture).picture
    assert np.array_equal(loaded.restore(picture).picture, expected)
    assert json.loads((hub / "me/faces/config.json").read_text())["work_size"] == 64


def test_devices_and_checkpoints_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ValueError, match="use 'cpu'"):
        choose_device("cuda:99")
    with pytest.raises(ValueError, match="use 'cpu'"):
        choose_device("toaster")
    with pytest.raises(ValueError, match=r"'meta'.*'cpu'"):
        choose_device("meta")  # shapes without values
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        LearnIR.from_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize("steps", [0, -1])
def test_no_steps_are_not_the_default(learnir, scene, steps):
    with pytest.raises(ValueError, match=f"steps .* got {steps}"):
        learnir.check(steps=steps)
    with pytest.raises(ValueError, match=f"steps .* got {steps}"):
        learnir.restore(scene(64, 64), steps=steps)
