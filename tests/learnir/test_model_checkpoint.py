import dataclasses
import json

import numpy as np
import pytest
import torch

from learnir.checkpoint import (
    SHIPPED,
    WEIGHTS,
    CheckpointError,
    load_checkpoint,
    read_training,
    save_checkpoint,
)
from learnir.config import ModelConfig
from learnir.describe import describe
from learnir.model import LearnIRModel
from learnir.pipeline import LearnIR
from learnir.sampler import sample


def test_saved_and_read_back_with_its_config(tmp_path, tiny_config):
    config = dataclasses.replace(
        tiny_config, corrector={"width": 8, "encoder": (1,), "decoder": (1,)}
    )
    model = LearnIRModel(config)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.01 * torch.randn_like(p))
    save_checkpoint(tmp_path / "c", model, {"seed": 3})
    again = load_checkpoint(tmp_path / "c")
    assert again.config.scales == config.scales
    assert read_training(tmp_path / "c")["seed"] == 3
    for (name, a), b in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=2e-3), name
    y = torch.rand(1, 3, 40, 24) * 2 - 1
    results = [
        m.sample(y, generator=torch.Generator().manual_seed(0)) for m in (model.eval(), again)
    ]
    assert (results[0] - results[1]).abs().max() < 0.05


def test_the_shipped_file_holds_every_weight_in_half_precision():
    from safetensors.torch import load_file

    shipped = load_file(SHIPPED / WEIGHTS)
    known = LearnIRModel(load_checkpoint().config).state_dict()
    assert {name: tensor.shape for name, tensor in shipped.items()} == {
        name: tensor.shape for name, tensor in known.items()
    }
    assert {tensor.dtype for tensor in shipped.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensor in shipped.values())


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe"])
def test_a_damaged_record_of_the_training_is_named_with_its_remedy(checkpoint, content):
    (checkpoint / "training.json").write_bytes(content)
    for use in (read_training, LearnIR.from_pretrained, describe):
        with pytest.raises(
            CheckpointError, match=r"training\.json: damaged .* delete it"
        ) as caught:
            use(checkpoint)
        assert str(checkpoint) in str(caught.value)


def test_sampling_options_override_the_config(tiny_config):
    model = LearnIRModel(tiny_config).eval()
    y = torch.rand(1, 3, 32, 32) * 2 - 1
    seen = []
    for steps, scales in ((3, None), (8, "drm"), (5, "fixed"), (5, (1, 2, 4, 2, 1))):
        seen.clear()
        model.sample(y, steps=steps, scales=scales, callback=lambda t, z: seen.append(t))
        assert len(seen) == steps
    with pytest.raises(ValueError, match="no correction branch"):
        model.sample(y, correction="learned")


def test_mirror_takes_the_mean_of_the_last_estimate_and_its_mirror_image(tiny_config, tiny_model):
    model = tiny_model(tiny_config).eval()
    y = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    seen = {True: [], False: []}

    def noise(draw, scale, shape):
        return torch.randn(shape, generator=torch.Generator().manual_seed(draw))

    for mirror, steps in seen.items():
        model.sample(y, mirror=mirror, noise=noise, callback=lambda _, z, to=steps: to.append(z))
    assert all(torch.equal(a, b) for a, b in zip(seen[True][:-1], seen[False][:-1], strict=True))
    z_1 = sample(model, y, model.schedule, scales=model.scales, until=1, noise=noise)
    R = model.residual(z_1, y, 1, model.schedule)
    image = model.residual(z_1.flip(-1), y.flip(-1), 1, model.schedule).flip(-1)
    assert torch.allclose(seen[False][-1], y - R, atol=1e-5)
    assert torch.allclose(seen[True][-1], y - (R + image) / 2, atol=1e-5)
    assert not torch.allclose(R, image, atol=1e-3)


def written(tmp_path, tiny_config):
    return save_checkpoint(tmp_path / "c", LearnIRModel(tiny_config))


def break_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_one_clear_line_for_every_broken_checkpoint(tmp_path, tiny_config):
    cases = {
        "missing folder": (lambda f: None, "nowhere", "no such checkpoint"),
        "missing weights": (lambda f: (f / "model.safetensors").unlink(), None, "missing"),
        "damaged weights": (
            lambda f: (f / "model.safetensors").write_bytes(b"\x00" * 64),
            None,
            "damaged",
        ),
        "truncated weights": (
            lambda f: (f / "model.safetensors").write_bytes(
                (f / "model.safetensors").read_bytes()[:500]
            ),
            None,
            "damaged",
        ),
        "missing config": (lambda f: (f / "config.json").unlink(), None, "missing"),
        "text config": (
            lambda f: (f / "config.json").write_text("not json"),
            None,
            "not a model config",
        ),
        "unknown field": (lambda f: break_config(f, colour="red"), None, "colour"),
        "a number in quotes": (
            lambda f: break_config(f, work_size="256"),
            None,
            "work_size is '256', of another kind than 256",
        ),
        "no number": (lambda f: break_config(f, enlarge=None), None, "enlarge is None"),
        "unknown network": (lambda f: break_config(f, network="naff"), None, "did you mean naf"),
        "other network": (
            lambda f: break_config(f, network_args={"width": 16}),
            None,
            "does not fit",
        ),
        "one number": (lambda f: break_config(f, scales=4), None, "scales is 4"),
        "wrong scales": (lambda f: break_config(f, scales=[1, 2]), None, "scales"),
        "no branch": (lambda f: break_config(f, correction="learned"), None, "branch"),
    }
    for name, (damage, where, words) in cases.items():
        folder = written(tmp_path / name, tiny_config)
        damage(folder)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(tmp_path / where if where else folder)
        assert words in str(caught.value), name
        assert "\n" not in str(caught.value), name


def test_a_config_may_hold_whole_numbers_and_lists():
    read = ModelConfig.from_json({"weight": 1, "enlarge": 2, "scales": [1, 1, 2, 4, 4]})
    assert read == ModelConfig(weight=1.0, enlarge=2.0)
    for name, value in {"T": 12.5, "mirror": 1, "weight": True, "corrector": []}.items():
        with pytest.raises(ValueError, match=f"^{name} is "):
            ModelConfig.from_json({name: value})


def test_the_folder_of_a_run_says_where_its_checkpoint_is(tmp_path, checkpoint):
    checkpoint.rename(tmp_path / "last")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path)
    assert str(caught.value) == f"{tmp_path}: the folder of a training; give {tmp_path / 'last'}"


def test_weights_are_single_precision_whatever_the_callers_default(checkpoint, scene):
    expected = LearnIR.from_pretrained(checkpoint).restore(scene(), faces=False).picture
    torch.set_default_dtype(torch.float64)
    try:
        learnir = LearnIR.from_pretrained(checkpoint)
        assert np.array_equal(learnir.restore(scene(), faces=False).picture, expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_card_in_another_encoding_is_kept_as_it_is(tmp_path, checkpoint):
    card = b"# Zo\xeb's weights\n"
    (checkpoint / "README.md").write_bytes(card)
    LearnIR.from_pretrained(checkpoint, "cpu").save_pretrained(tmp_path / "copy")
    assert (tmp_path / "copy" / "README.md").read_bytes() == card


def test_a_file_is_not_a_checkpoint_folder(tmp_path):
    (tmp_path / "f").write_text("x")
    with pytest.raises(CheckpointError, match="not a folder"):
        load_checkpoint(tmp_path / "f")


def test_unknown_hub_ids_name_the_remedy(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="check the name and the network"):
        load_checkpoint("nobody/nothing-here")


def test_config_round_trips_through_json():
    config = ModelConfig(scales=(1, 2, 2, 4, 4), corrector={"width": 8})
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_folded_model_samples_the_same_and_leaves_the_model_alone(tiny_config, tiny_model):
    model = tiny_model(tiny_config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    y = torch.rand(2, 3, 48, 40) * 2 - 1
    with torch.inference_mode():
        ours, theirs = (
            one.sample(y, generator=torch.Generator().manual_seed(0))
            for one in (model.folded(), model)
        )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert float((theirs - y).abs().max()) > 0.01
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_papers_correction_is_not_used_at_a_weight_that_cancels_the_network(
    tiny_config, tiny_model
):
    model = tiny_model(tiny_config).eval()
    y = torch.rand(1, 3, 32, 32) * 2 - 1

    def sampled(**options):
        return model.sample(y, generator=torch.Generator().manual_seed(0), **options)

    assert torch.equal(sampled(correction="paper"), sampled(correction="paper", weight=0.25))
    assert not torch.equal(sampled(correction="paper"), sampled(correction="paper", weight=1.0))
    model.config = dataclasses.replace(model.config, correction="paper", weight=0.5)
    assert torch.equal(sampled(), sampled(correction="paper", weight=0.5))
