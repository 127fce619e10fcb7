"""Archives of layers: the same bytes again, and readable by the trainer."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dataset_tools.cli import main
from learnir.training.layers import draw_pairs, load_layers


def pack(photos: Path, out: Path) -> int:
    options = ["--licence", "public domain", "--engine", "local", "--workers", "1"]
    return main(["pack", str(photos), str(out), "--shadows", "2", "--size", "128", *options])


def test_packing_one_portrait(tmp_path, astronaut):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[..., ::-1])
    first, again = tmp_path / "a.npz", tmp_path / "b.npz"
    assert pack(photos, first) == 0
    assert pack(photos, again) == 0
    assert _content(first) == _content(again)

    layers = load_layers(first)
    assert len(layers) == 1
    assert layers.shadows.shape == (1, 2, 3, 128, 128)
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


def _content(path: Path) -> dict[str, bytes]:
    with np.load(path) as archive:
        return {name: archive[name].tobytes() for name in archive.files}
