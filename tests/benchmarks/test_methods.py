"""Methods that are ours, classical ones, and those that live elsewhere."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sample_methods import scene, write
from skimage.data import astronaut
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.classical import dark_channel, detect_shadow, region_transfer, retinex
from benchmarks.learnir_methods import count_macs, resolved
from benchmarks.methods import METHODS, MethodOptions, make_method
from benchmarks.metrics import psnr
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, open_collection
from learnir import LearnIR


@pytest.fixture
def pair(data):
    return next(iter(decoded(open_collection("ucb", data))))


def test_dark_channel_clears_synthetic_haze():
    clear = scene(3, 128)
    clear[::7] //= 4  # He 2009 needs dark pixels in every patch
    t = np.linspace(0.3, 0.8, 128)[None, :, None]
    hazy = (clear * t + 235 * (1 - t)).astype(np.uint8)
    assert psnr(dark_channel(hazy), clear) > psnr(hazy, clear) + 3


def test_region_transfer_brightens_a_shadow():
    target = (
        np.full((80, 80, 3), 180, np.uint8) + (np.arange(80) % 9).astype(np.uint8)[None, :, None]
    )
    mask = np.zeros((80, 80), np.uint8)
    mask[:, :36] = 255
    shadow = np.where(mask[..., None] > 0, target // 2, target)
    assert psnr(region_transfer(shadow, mask), target) > psnr(shadow, target) + 8
    assert psnr(region_transfer(shadow), target) > psnr(shadow, target) + 8
    assert (detect_shadow(shadow) == (mask > 0)).mean() > 0.9


def test_retinex_evens_the_light_out():
    """What a checkerboard's light spans across, over its mean, falls by half and more."""
    rows, columns = np.mgrid[:96, :96]
    board = np.where((rows // 4 + columns // 4) % 2, 60, 220)[..., None] * np.ones(3)
    uneven = (board * np.linspace(0.5, 1, 96)[None, :, None]).astype(np.uint8)

    def span(picture):
        across = picture[:, 8:-8].mean(axis=(0, 2)).reshape(-1, 8).mean(axis=1)
        return np.ptp(across) / across.mean()

    assert span(uneven) > 0.5
    assert span(retinex(uneven)) < 0.5 * span(uneven)


@pytest.mark.parametrize("name", ["input", "dark-channel", "retinex", "region-transfer"])
def test_classical_methods_keep_size_and_kind(pair, name):
    made = make_method(name).restore(pair, 0)
    assert made.shape == pair.input.shape
    assert made.dtype == np.uint8


def test_methods_are_never_shown_the_target(pair):
    for name in ("input", "dark-channel", "retinex", "region-transfer"):
        blind = dataclasses.replace(pair, target=np.zeros_like(pair.target))
        method = make_method(name)
        assert np.array_equal(method.restore(pair, 0), method.restore(blind, 0))


def test_learnir_and_its_ablations_differ_only_in_their_settings(pair):
    cards = {n: make_method(n).card for n in METHODS if n.startswith("learnir")}
    settings = {n: dict(c.settings) for n, c in cards.items()}
    assert settings["learnir-no-dpsc"]["correction"] == "none"
    assert settings["learnir-no-drm"]["scales"] == "1 1 1 1 1"
    assert settings["learnir-neither"] == {
        **settings["learnir"], "correction": "none", "scales": "1 1 1 1 1",
    }  # fmt: skip
    assert len({c.source for c in cards.values()}) == 1
    assert cards["learnir"].macs < 0.55 * cards["learnir-no-drm"].macs
    assert cards["learnir-once"].macs < cards["learnir"].macs
    assert settings["learnir"]["enlarge"] == settings["learnir-once"]["enlarge"] == "1.25"
    assert settings["learnir-once"]["evaluations"] == "1"


def test_what_moves_a_result_is_on_the_card(tmp_path):
    """The weights alone do not say how they are sampled: config.json does."""
    from learnir.checkpoint import CONFIG, load_checkpoint, save_checkpoint

    folder = save_checkpoint(tmp_path / "other", load_checkpoint())
    plain = json.loads((folder / CONFIG).read_text())
    five_steps = {"schedule": "cosine", "T": 7}
    cards = []
    for i, change in enumerate(
        ({}, five_steps, {"T": 13}, {"prediction": "sample"}, {"enlarge": 1.0})
    ):
        shutil.copytree(folder, there := tmp_path / str(i))
        (there / CONFIG).write_text(json.dumps({**plain, **change}))
        cards.append(make_method("learnir", MethodOptions(checkpoint=str(there))).card)
    assert len({card.settings for card in cards}) == len(cards)


def test_the_weight_recorded_is_the_one_used():
    shipped = LearnIR.from_pretrained(device="cpu")
    for correction, weight in ((None, "1.0"), ("exact", "1.0"), ("paper", "0.25")):
        assert resolved(shipped, {"correction": correction})["weight"] == weight
    assert resolved(shipped, {"correction": "paper", "weight": 0.5})["weight"] == "0.5"


def test_macs_are_those_of_the_enlarged_picture():
    shipped = LearnIR.from_pretrained(device="cpu")
    config = dataclasses.replace(shipped.config, enlarge=1.0)
    shipped_as_it_is = count_macs(shipped, {})
    shipped.model.config = config
    plain = count_macs(LearnIR(shipped.model), {})
    assert shipped_as_it_is / plain == pytest.approx((320 / 256) ** 2, rel=0.05)
    y, folded = torch.zeros(1, 3, 256, 256), shipped.model.folded()
    with torch.inference_mode():
        folded.sample(y)  # works out what is not counted
        with FlopCounterMode(display=False) as counter:
            folded.sample(y)
    assert plain == counter.get_total_flops() // 2


def test_macs_are_the_same_at_every_count():
    """What the first picture works out for all is none of them, whatever came before."""
    fresh = LearnIR.from_pretrained(device="cpu")
    first = [count_macs(fresh, {}, 64) for _ in range(2)]
    other = LearnIR.from_pretrained(device="cpu")
    count_macs(other, {"scales": "fixed"}, 64)
    assert [count_macs(other, {}, 64), *first] == 3 * first[:1]


def test_a_card_says_that_there_were_no_close_ups(monkeypatch):
    from learnir import faces

    shipped = LearnIR.from_pretrained(device="cpu")
    for told, expected in (("", "yes"), ("faces are not looked at closely", "no")):
        monkeypatch.setattr(faces, "unavailable", lambda told=told: told)
        assert resolved(shipped, {})["close_ups"] == expected


def test_a_card_says_what_the_checkpoint_was_trained_on(tmp_path):
    from learnir.checkpoint import SHIPPED, TRAINING, load_checkpoint, save_checkpoint

    shipped = json.loads((SHIPPED / TRAINING).read_text(encoding="utf-8"))
    assert make_method("learnir").card.training_data == shipped["trained_on"]
    bare = MethodOptions(checkpoint=str(save_checkpoint(tmp_path / "bare", load_checkpoint())))
    assert make_method("learnir", bare).card.training_data == "unknown"
    said = dataclasses.replace(bare, training_data="my own pairs")
    assert make_method("learnir", said).card.training_data == "my own pairs"


def test_learnir_restores_and_its_seed_counts(pair):
    face = astronaut()[20:220, 120:320].copy()
    face[:, :90] //= 3
    pair = dataclasses.replace(pair, input=face, target=face)
    method = make_method("learnir")
    a, b, c = (method.restore(pair, seed) for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_regression_needs_its_own_checkpoint():
    with pytest.raises(BenchmarkError, match="its own checkpoint"):
        make_method("regression")


def test_a_folder_of_results(score, data, tmp_path):
    for p in decoded(open_collection("ucb", data)):
        write(tmp_path / "made" / f"{p.key}.png", 255 - p.input)
    run = score(f"results:{tmp_path / 'made'}", options=MethodOptions(name="mine"))
    assert run.mean("psnr") == score("python:sample_methods:inverted").mean("psnr")
    assert run.facts["method"]["name"] == "mine"
    write(tmp_path / "made" / "00-0.png", scene(9))
    changed = score(f"results:{tmp_path / 'made'}", options=MethodOptions(name="mine"))
    assert changed.mean("psnr") != run.mean("psnr")


@pytest.mark.parametrize("ending", ["PNG", "TIF"])
def test_result_pictures_may_have_capital_endings(pair, tmp_path, ending):
    write(tmp_path / f"{pair.key}.{ending}", pair.target)
    assert np.array_equal(make_method(f"results:{tmp_path}").restore(pair, 0), pair.target)


@pytest.mark.parametrize("mistake", ["jpeg", "jpeg named png", "resized", "missing"])
def test_spoiled_result_pictures_are_refused(score, data, tmp_path, mistake):
    folder = tmp_path / "made"
    for p in decoded(open_collection("ucb", data)):
        picture = p.target[:32] if mistake == "resized" else p.target
        suffix = "jpg" if mistake.startswith("jpeg") else "png"
        write(folder / f"{p.key}.{suffix}", picture)
        if mistake == "jpeg named png":
            (folder / f"{p.key}.jpg").rename(folder / f"{p.key}.png")
    if mistake == "missing":
        next(folder.iterdir()).unlink()
    words = {"resized": "never resized", "missing": "no result for"}.get(mistake, "lossy")
    with pytest.raises(BenchmarkError, match=words):
        score(f"results:{folder}")


def test_a_python_callable(score):
    assert score("python:sample_methods:halfway").mean("psnr") > score("input").mean("psnr")
    with pytest.raises(BenchmarkError, match="cannot be imported"):
        make_method("python:no_such_module:f")
    with pytest.raises(BenchmarkError, match="is not a function"):
        make_method("python:sample_methods:__doc__")


def test_a_module_in_the_current_folder_is_found(pair, tmp_path, monkeypatch):
    (tmp_path / "my_method.py").write_text("def restore(picture):\n    return 255 - picture\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = make_method("python:my_method:restore").restore(pair, 0)
    assert np.array_equal(made, 255 - pair.input)


def test_a_callable_that_draws_at_random_is_run_for_every_seed(score):
    run = score("python:sample_methods:speckled", seeds=(3, 5))
    assert run.facts["seeds"] == [3, 5]
    assert run.rows().groupby("name")["result_sha256"].nunique().eq(2).all()
    assert score("python:sample_methods:halfway", seeds=(3, 5)).facts["seeds"] == [3]


def test_a_command_is_told_the_seed(score, tmp_path):
    script = tmp_path / "noise.py"
    script.write_text(
        "import sys, cv2, numpy\n"
        "rng = numpy.random.default_rng(int(sys.argv[3]))\n"
        "x = cv2.imread(sys.argv[1]) // 2\n"
        "cv2.imwrite(sys.argv[2], x + rng.integers(0, 9, x.shape))"
    )
    run = score(
        f"exec:{sys.executable} {script} {{input}} {{output}} {{seed}}", seeds=(0, 1), limit=2
    )
    assert run.facts["seeds"] == [0, 1]
    assert run.facts["scores"]["psnr"]["seed_std"] > 0
    assert run.facts["cost"]["seconds_median"] > 0
    assert run.facts["cost"]["peak_memory_bytes"] is None  # another process' memory is not ours


def test_a_gradio_endpoint(score, pair):
    import gradio as gr

    with gr.Blocks() as app:
        given, made = gr.Image(type="numpy", format="png"), gr.Image(format="png")
        given.upload(lambda picture: 255 - picture, given, made, api_name="invert")
        given.clear(lambda picture: {}["none"], given, made, api_name="broken")
    _, address, _ = app.launch(prevent_thread_lock=True, quiet=True)
    try:
        run = score(f"gradio:{address}#invert", limit=2)
        with pytest.raises(BenchmarkError, match=r"gradio on \S+: AppError"):
            score(f"gradio:{address}#broken", limit=2)
        method = make_method(f"gradio:{address}#invert")
        assert np.array_equal(method.restore(pair, 0), 255 - pair.input)
        kept = [p for p in Path(method.received.name).rglob("*") if p.is_file()]
        assert kept == []  # thousands of pictures would fill the disk
    finally:
        app.close()
    expected = score("python:sample_methods:inverted", limit=2)
    assert run.mean("psnr") == expected.mean("psnr")
    assert list(run.rows()["result_sha256"]) == list(expected.rows()["result_sha256"])
    with pytest.raises(BenchmarkError, match="no endpoint there"):
        make_method("gradio:http://127.0.0.1:9")


def test_a_command(score, tmp_path):
    script = tmp_path / "copy.py"
    script.write_text("import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])")
    run = score(f"exec:{sys.executable} {script} {{input}} {{output}}")
    assert run.mean("psnr") == score("input").mean("psnr")
    script.write_text("raise SystemExit('out of luck')")
    with pytest.raises(BenchmarkError, match="out of luck"):
        score(f"exec:{sys.executable} {script} {{input}} {{output}}")
    with pytest.raises(BenchmarkError, match="needs"):
        make_method("exec:true")
    with pytest.raises(BenchmarkError, match=r"^--exec tool .*: No closing quotation"):
        make_method("exec:tool '{input} {output}")


def test_unknown_methods_suggest_neighbours():
    with pytest.raises(BenchmarkError, match="did you mean learnir"):
        make_method("lernir")
