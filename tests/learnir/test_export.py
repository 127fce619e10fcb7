"""``learnir export``: the ONNX graph gives what PyTorch gives, at any size it promises."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from learnir.checkpoint import save_checkpoint
from learnir.cli import main
from learnir.config import ModelConfig
from learnir.export import ExportError, Sampler, export_onnx, noise_for, session
from learnir.images import to_tensor

pytestmark = pytest.mark.slow
onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")


# Finer scales, the same one, and mirror images at the last step. Without correction noise is drawn
# at every step.
SETTINGS = {"steps": 4, "scales": (1, 1, 2, 4), "mirror": True, "correction": "none"}
NETWORK = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tiny_model):
    """A tiny model that changes pictures, and its graph."""
    model = tiny_model(ModelConfig(network_args=NETWORK, work_size=64))
    return model, export_onnx(model, tmp_path_factory.mktemp("onnx") / "model.onnx", **SETTINGS)


@pytest.mark.parametrize("blocks", [(1, 1), (1, 3), (4, 2)])
def test_the_graph_is_the_sampler(exported, scene, blocks):
    model, graph = exported
    H, W = (n * graph.multiple for n in blocks)
    y, noise = to_tensor(scene(H, W)[None]).numpy(), noise_for(graph.draws, H, W, seed=2)
    restored = session(graph.path)({"observed": y, **noise})
    with torch.inference_mode():
        wanted = Sampler(model, SETTINGS)(*map(torch.from_numpy, (y, *noise.values()))).numpy()
    assert restored.shape == y.shape
    assert np.abs(wanted - y).max() > 0.05
    assert np.abs(restored - wanted).max() < 1e-4


def test_the_model_is_left_as_it_was(tmp_path, tiny_model):
    """Somebody who exports between two epochs goes on with the same model."""
    model = tiny_model(ModelConfig(network_args=NETWORK)).train()
    export_onnx(model, tmp_path / "model.onnx", steps=2, scales=(1, 1))
    assert model.training


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ({"network_args": NETWORK}, {"scales": (4, 2, 1, 2, 4), "correction": "paper"}),
        ({"network_args": {**NETWORK, "gain": True}}, {"steps": 3, "schedule": "linear"}),
        (
            {
                "network_args": NETWORK,
                "corrector": {"width": 6, "variance": True},
                "correction": "learned",
            },
            {"steps": 3, "scales": (1, 1, 2), "eta": 0.5},
        ),
        ({"network": "unet", "network_args": {"width": 8}}, {"steps": 2, "scales": (1, 2)}),
    ],
)
def test_every_kind_of_sampler_is_exported(config, settings, tiny_model, tmp_path):
    model = tiny_model(ModelConfig(work_size=64, **config))
    assert export_onnx(model, tmp_path / "model.onnx", **settings).difference < 1e-5


def test_the_file_holds_the_weights_once(exported):
    """Not once a step."""
    model, graph = exported
    weights = sum(4 * parameter.numel() for parameter in model.parameters())
    proto = onnx.load(str(graph.path))
    constants = (a.t for n in proto.graph.node if n.op_type == "Constant" for a in n.attribute)
    held = sum(len(t.raw_data) for t in (*proto.graph.initializer, *constants))
    assert held < 1.2 * weights


def test_the_file_is_valid_and_says_what_it_is(exported):
    model, graph = exported
    proto = onnx.load(str(graph.path))
    onnx.checker.check_model(proto)
    facts = json.loads({p.key: p.value for p in proto.metadata_props}["learnir"])
    assert facts["config"] == json.loads(json.dumps(model.config.to_json()))
    assert (facts["multiple"], facts["draws"]) == (graph.multiple, list(graph.draws))
    names = [f"noise_{i}" for i in range(len(graph.draws))]
    assert [i.name for i in proto.graph.input] == ["observed", *names]


def test_another_picture_needs_another_noise(exported):
    _, graph = exported
    first, other = (noise_for(graph.draws, 64, 64, seed) for seed in (0, 1))
    assert np.abs(first["noise_0"] - other["noise_0"]).max() > 1
    assert abs(np.std(first["noise_1"]) - 1) < 0.1


def test_a_graph_that_differs_is_not_written(exported, tmp_path, monkeypatch):
    model, graph = exported
    wrong = onnx.load(str(graph.path))
    bias = next(w for w in wrong.graph.initializer if w.name.endswith("exit.bias"))
    bias.raw_data = (onnx.numpy_helper.to_array(bias) + np.float32(0.1)).tobytes()
    monkeypatch.setattr("learnir.export._exported", lambda *_: wrong.SerializeToString())
    with pytest.raises(ExportError, match=r"bad\.onnx: differs by"):
        export_onnx(model, tmp_path / "bad.onnx", **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_before_the_work(exported, tmp_path, monkeypatch):
    model, _ = exported
    (tmp_path / "file").write_bytes(b"")  # no folder, whoever runs the tests
    monkeypatch.setattr("learnir.export._exported", lambda *_: pytest.fail("exported in vain"))
    for target in (tmp_path / "file" / "model.onnx", tmp_path):
        with pytest.raises(ExportError, match=r"cannot be written \(.*choose another") as caught:
            export_onnx(model, target, **SETTINGS)
        assert str(caught.value).startswith(f"{target}: ")


def test_a_full_disk_is_one_line_that_names_the_file(exported, tmp_path, monkeypatch):
    model, graph = exported
    written = graph.path.read_bytes()
    monkeypatch.setattr("learnir.export._exported", lambda *_: written)

    def full(*_):
        raise OSError(28, "No space left on device", "a temporary name")

    monkeypatch.setattr("learnir.export.write_atomically", full)
    with pytest.raises(ExportError) as caught:
        export_onnx(model, tmp_path / "model.onnx", **SETTINGS)
    assert str(caught.value) == (
        f"{tmp_path / 'model.onnx'}: cannot be written (No space left on device); "
        "choose another place"
    )


def test_the_command(exported, tmp_path, capsys):
    checkpoint = save_checkpoint(tmp_path / "checkpoint", exported[0])
    target = tmp_path / "deep" / "model.onnx"
    with pytest.raises(SystemExit) as ended:
        main(["export", "--checkpoint", str(checkpoint), "--onnx", str(target), "--steps", "2"])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert "of PyTorch" in said.out
    assert target.stat().st_size > 10_000


def test_settings_that_do_not_fit_are_one_line(checkpoint, tmp_path, capsys):
    words = ["export", "--checkpoint", str(checkpoint), "--onnx", str(tmp_path / "a.onnx")]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--scales", "1,2"])
    assert ended.value.code == 2
    assert "need 5 scales" in capsys.readouterr().err


STOPPED = """
import os, signal, sys, time
from learnir import cli, export

def stopped(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)

export.torch.onnx.export = stopped
cli.main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_sigterm_is_one_line_and_leaves_no_temporary_files(tmp_path, checkpoint):
    """Nor those in which ONNX Runtime counts what it reports."""
    (tmp_path / "temporary").mkdir()
    words = ["export", "--onnx", tmp_path / "model.onnx", "--checkpoint", checkpoint]
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"TMPDIR": str(tmp_path / "temporary")},
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (143, "exporting ...\ninterrupted\n")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "model.onnx").exists()
