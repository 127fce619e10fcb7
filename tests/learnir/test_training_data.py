"""Reading a built FaceShadow to train on."""

import dataclasses
import json
import shutil
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from archives import write_archive

from learnir.cli import main
from learnir.training.archive import load_archive
from learnir.training.data import NoSplitError, Pair, PairError, PairStore, open_pairs
from learnir.training.presets import PRESETS, Stage, TrainConfig
from learnir.training.sources import Pairs, Scenes, Source


def test_names_may_hold_any_separator_of_lines(tmp_path):
    folder = tmp_path / "train"
    authors = ["A\u2028B", "C\u2029D", "E\x85F", "Zo\xeb", "G\x0b\x0c\x1cH"]
    rows = [
        {"shadow_file_name": f"shadow/{i}.png", "clean_file_name": f"clean/{i}.png", "author": name}
        for i, name in enumerate(authors)
    ]
    for row in rows:
        for kind in ("shadow", "clean"):
            path = folder / row[f"{kind}_file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row[f"{kind}_file_name"].encode())
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    pairs = open_pairs(tmp_path, "train")
    assert [pair.read_input() for pair in pairs] == [f"shadow/{i}.png".encode() for i in range(5)]


@pytest.mark.parametrize("split", ["train", "val"])
def test_webdataset_is_refused_by_its_name(tmp_path, capsys, split):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000-of-00001.tar").write_bytes(b"")
    with pytest.raises(PairError, match="webdataset cannot be trained on; build it with --format"):
        open_pairs(tmp_path, split)
    with pytest.raises(SystemExit) as ended:
        main(["train", "smoke", "--data", str(tmp_path), "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said == (
        f"learnir: {tmp_path}: webdataset cannot be trained on; build it with --format parquet or "
        "imagefolder"
    )


def _shard(table):
    import pyarrow
    import pyarrow.parquet

    out = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(table), out)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train/metadata.jsonl", b'{"file_name": "1.png", "text": "of another kind"}\n'),
        ("train/metadata.jsonl", b'{"shadow_file_name": "shadow/1.png", "clean_fi'),
        ("train/metadata.jsonl", b'["shadow/1.png", "clean/1.png"]\n'),
        ("train/metadata.jsonl", b'{"shadow_file_name": "Zo\xeb.png"}\n'),
        ("data/train-00000-of-00001.parquet", b"version https://git-lfs.github.com/spec/v1\n"),
        ("data/train-00000-of-00001.parquet", _shard({"image": [b""], "label": [1]})),
    ],
    ids=["foreign", "torn", "list", "latin", "pointer", "columns"],
)
def test_what_is_damaged_or_no_faceshadow_is_named(tmp_path, capsys, name, content):
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PairError):
        open_pairs(tmp_path, "train")
    with pytest.raises(SystemExit) as ended:
        main(["train", "smoke", "--data", str(tmp_path), "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"learnir: {tmp_path / name}: damaged, or not of a FaceShadow (")
    assert said.endswith("); build or fetch it anew, or give a folder with input/ and target/\n")
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("side", ["input", "target"])
def test_two_files_of_one_name_are_no_pair(pairs, tmp_path, capsys, side):
    shutil.copy(pairs / side / "3.png", pairs / side / "3.jpg")
    with pytest.raises(PairError):
        open_pairs(pairs, "train")
    with pytest.raises(SystemExit) as ended:
        main(["train", "smoke", "--data", str(pairs), "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"learnir: {pairs / side}: 3.jpg and 3.png are both named '3', which names one pair; "
        "rename or remove one\n"
    )
    assert not (tmp_path / "run").exists()


def test_two_files_of_one_name_are_not_packed(pairs, tmp_path):
    from dataset_tools.pack import PackPlan, pack

    shutil.copy(pairs / "input" / "3.png", pairs / "input" / "3.jpg")
    with pytest.raises(PairError, match=r"3.jpg and 3.png are both named"):
        pack({"train": []}, tmp_path / "a.npz", PackPlan(pairs=(str(pairs),)), None)
    assert not (tmp_path / "a.npz").exists()


def test_hidden_files_are_no_pictures(pairs):
    for side in ("input", "target"):
        (pairs / side / "._3.png").write_bytes(b"what macOS writes beside a picture")
    (pairs / "input" / ".7.jpg").touch()
    assert [pair.name for pair in open_pairs(pairs, "all")] == list("012345")


def test_a_plain_folder_has_no_test_split_that_it_trains_on(pairs):
    """Who asks for one is told so, rather than scored on what was trained on."""
    with pytest.raises(NoSplitError, match="'test' split"):
        open_pairs(pairs, "test")
    parts = [{pair.name for pair in open_pairs(pairs, split)} for split in ("train", "val")]
    assert parts[0] | parts[1] == {pair.name for pair in open_pairs(pairs, "all")}
    assert not parts[0] & parts[1]


class Grey:
    """Three pairs of one grey each."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __len__(self) -> int:
        return 3

    def prepare(self, stage, indices, rng):
        return (torch.full((len(indices), 3, 8, 8), self.value),)

    def finish(self, stage, prepared, generator):
        return prepared[0], prepared[0]


def test_no_store_keeps_to_its_places_in_a_batch():
    """LPIPS judges every fourth of a batch (``perceptual_every``), of every store its share."""
    config = dataclasses.replace(PRESETS["smoke"], turned=0.0, faded=0.0, mosaic=0.0)
    source, second = Source(config, [Grey(0.0), Grey(1.0)]), torch.zeros(6)
    for batch in range(60):
        shares = source.prepare(config.stages[0], 6 * batch, 6, np.random.default_rng(0))
        y, x = source.finish(config.stages[0], shares, torch.Generator().manual_seed(batch))
        assert torch.equal(y, x)  # inputs go with their targets
        second += x[:, 0, 0, 0] / 60
    assert second.sum().item() == pytest.approx(3)  # half of every batch of six
    assert second.numpy() == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize(("side", "kept"), [(256, 256), (512, 400), (300, 300)])
def test_pairs_are_held_as_fine_as_the_closest_view_needs(side, kept):
    stages = (Stage(iterations=1, size=256, view=(0.64, 1.0)), Stage(iterations=1, size=128))
    config = dataclasses.replace(PRESETS["smoke"], stages=stages)
    picture = np.random.default_rng(0).integers(0, 256, (side + 20, side, 3), np.uint8)
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    (y, x), *_ = Pairs(config, [Pair("a", lambda: encoded, lambda: encoded)]).store.pictures
    assert min(y.shape[:2]) == kept
    if side == kept:
        assert np.array_equal(x, picture[..., ::-1])


def test_views_lie_anywhere_and_are_flipped_half_of_the_time():
    """Pixels say where they come from: every place occurs, in input and target alike."""
    places = np.stack([*np.mgrid[:6, :7], np.zeros((6, 7))], axis=-1).astype(np.uint8)
    encoded = cv2.imencode(".png", places[..., ::-1])[1].tobytes()
    store = PairStore([Pair("a", lambda: encoded, lambda: encoded)], 64)
    y, x = store.batch([0] * 600, 3, (0.5, 0.5), np.random.default_rng(0))
    assert np.array_equal(y, x)
    flipped, found = 0, Counter()
    for view in y.astype(int):
        mirrored = view[0, 0, 1] > view[0, -1, 1]
        flipped += mirrored
        top, left = (view[:, ::-1] if mirrored else view)[0, 0, :2]
        found[top, left] += 1
        straight = places[top : top + 3, left : left + 3]
        assert np.array_equal(view, straight[:, ::-1] if mirrored else straight)
    assert flipped / 600 == pytest.approx(0.5, abs=0.07)
    assert set(found) == {(top, left) for top in range(4) for left in range(5)}
    assert min(found.values()) > 10  # of 30 each


def test_views_are_as_large_as_asked_for():
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(260, axis=1)
    encoded = cv2.imencode(".png", ramp)[1].tobytes()
    store = PairStore([Pair("a", lambda: encoded, lambda: encoded)], 256)
    y, _ = store.batch([0] * 300, 200, (0.4, 0.8), np.random.default_rng(0))
    sides = y[:, -1, 0, 0].astype(int) - y[:, 0, 0, 0] + 1  # of 200 rows
    assert (sides.min(), sides.max()) == pytest.approx((80, 160), abs=2)
    assert sides.mean() == pytest.approx(120, abs=4)


@pytest.mark.parametrize("augment", ["shadow", "geometric"])
@pytest.mark.parametrize("kind", ["pairs", "layers"])
def test_every_stage_has_its_own_share_of_clean_pairs(tmp_path, pairs, kind, augment):
    stages = [Stage(iterations=1, size=32, clean=clean) for clean in (0.0, 1.0)]
    config = dataclasses.replace(PRESETS["smoke"], stages=tuple(stages), augment=augment)
    if kind == "pairs":
        store = Pairs(config, open_pairs(pairs, "train"))
    else:
        path = write_archive(tmp_path / "layers.npz", np.random.default_rng(0))
        store = Scenes(config, load_archive(path).layers, torch.device("cpu"))
    darker = []
    for stage in stages:
        prepared = store.prepare(stage, [0, 1, 2, 3], np.random.default_rng(0))
        y, x = store.finish(stage, prepared, torch.Generator().manual_seed(0))
        darker.append(float((x - y).mean()))
    assert darker[0] > 0.05
    assert abs(darker[1]) < 0.01


def test_a_share_of_the_whole_run_is_that_of_its_stages():
    config = PRESETS["release"]
    assert TrainConfig.from_json(config.to_json()).to_json() == config.to_json()
    values = {**config.to_json(), "clean": 0.4}  # as written before stages had their own
    for stage in values["stages"]:
        del stage["clean"]
    assert [stage.clean for stage in TrainConfig.from_json(values).stages] == [0.4, 0.4]


def test_a_pair_may_be_spelled_in_two_ways_and_keeps_its_split(pairs):
    """macOS may write an accent apart from its letter, and only one of two files so."""
    apart, within = "ae\u0301", "a\u00e9"
    for number in range(40):
        for side, name in (("input", apart), ("target", within)):
            shutil.copy(pairs / side / "0.png", pairs / side / f"{name}{number}.png")
    assert f"{apart}7" in {pair.name for pair in open_pairs(pairs, "all")}

    def val():
        names = {pair.name.replace(apart, within) for pair in open_pairs(pairs, "val")}
        return {name for name in names if within in name}

    before = val()
    for path in (pairs / "input").glob(f"{apart}*.png"):
        path.rename(path.with_name(path.name.replace(apart, within)))
    assert before
    assert val() == before
