"""Data sets as the originals unpack, and what is said when they are not there."""

import numpy as np
import pytest
from conftest import scene, write

from benchmarks.cli import main
from benchmarks.datasets import DATASETS
from benchmarks.layouts import natural
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, manifest, manifest_hash, open_collection
from benchmarks.pictures import decode

LAYOUTS = {
    "istd": ("ISTD_Dataset/test/test_A/90-1.png", "ISTD_Dataset/test/test_C/90-1.png"),
    "istd+": ("AISTD/test/test_A/9-1.png", "AISTD/test/test_C_fixed_official/9-1.png"),
    "srd": ("SRD/test/shadow/IMG_5.jpg", "SRD/test/shadow_free/IMG_5_no_shadow.jpg"),
    "o-haze": ("O-HAZE/hazy/41_outdoor_hazy.jpg", "O-HAZE/GT/41_outdoor_GT.jpg"),
    "i-haze": ("I-HAZE/hazy/01_indoor_hazy.jpg", "I-HAZE/GT/01_indoor_GT.jpg"),
    "nh-haze": ("NH-HAZE/01_hazy.png", "NH-HAZE/01_GT.png"),
    "dense-haze": (
        "Dense_Haze_NTIRE19/hazy/01_hazy.png",
        "Dense_Haze_NTIRE19/GT/01_GT.png",
    ),
    "hazydet": ("HazyDet/test/hazy_images/3.jpg", "HazyDet/test/clean_images/3.jpg"),
    "revide": ("REVIDE_indoor/Test/hazy/E003/00001.JPG", "REVIDE_indoor/Test/gt/E003/00001.JPG"),
    "ucb": ("ucb_dev/input/3-1.png", "ucb_dev/target/3-1.png"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_as_the_originals_unpack(tmp_path, name):
    for path, seed in zip(LAYOUTS[name], (0, 1), strict=True):
        write(tmp_path / path, scene(seed))
    (pair,) = decoded(open_collection(name, tmp_path))
    assert pair.input.shape == (64, 64, 3)
    assert not np.array_equal(pair.input, pair.target)


def test_only_the_test_split_of_o_haze_is_taken(tmp_path):
    for number in ("27", "41", "45"):
        for kind, folder in (("hazy", "hazy"), ("GT", "GT")):
            write(tmp_path / "O-HAZE" / folder / f"{number}_outdoor_{kind}.png", scene(0))
    found = open_collection("o-haze", tmp_path)
    assert [s.key[:2] for s in found.sources] == ["41", "45"]
    assert found.complete is False


def test_frames_of_a_sequence_are_one_scene(tmp_path):
    for kind in ("hazy", "gt"):
        for frame in ("E003/1.png", "E003/2.png", "J005/1.png"):
            write(tmp_path / "REVIDE" / "Test" / kind / frame, scene(0))
    found = open_collection("revide", tmp_path)
    assert sorted({found.scene(s) for s in found.sources}) == ["E003", "J005"]


@pytest.mark.parametrize("name", DATASETS)
def test_missing_data_is_a_message_with_the_remedy(tmp_path, name):
    with pytest.raises(BenchmarkError) as caught:
        open_collection(name, tmp_path)
    assert DATASETS[name].where in str(caught.value)


@pytest.mark.parametrize("entry", DATASETS.values(), ids=lambda e: e.name)
def test_every_entry_is_complete(entry):
    assert all((entry.licence, entry.citation, entry.revision, entry.where, entry.split_rule))
    assert entry.main_protocol
    assert entry.folders


def test_a_plain_folder_needs_no_entry(data):
    found = open_collection(str(data / "ucb"))
    assert len(found.sources) == 8
    assert found.entry.name == "ucb"


def test_pairs_without_partner_are_counted_not_scored(data, capsys):
    (data / "ucb" / "target" / "00-0.png").unlink()
    assert len(open_collection("ucb", data).sources) == 7
    assert main(["verify", "ucb", "--data-root", str(data)]) == 1
    assert "1 without a partner" in capsys.readouterr().out


def test_pairs_of_two_sizes_are_refused(data):
    write(data / "ucb" / "target" / "00-0.png", scene(0)[:32])
    with pytest.raises(BenchmarkError, match="differ"):
        list(decoded(open_collection("ucb", data)))


def test_the_manifest_names_every_byte(data):
    before = manifest_hash(manifest(open_collection("ucb", data)))
    assert before == manifest_hash(manifest(open_collection("ucb", data)))
    write(data / "ucb" / "mask" / "00-0.png", np.zeros((64, 64), np.uint8))
    assert manifest_hash(manifest(open_collection("ucb", data))) != before


def test_damaged_and_enormous_pictures_are_named():
    with pytest.raises(BenchmarkError, match="a: not a readable"):
        decode(b"nonsense", "a")
    import cv2

    data = cv2.imencode(".png", scene(0))[1].tobytes()
    with pytest.raises(BenchmarkError, match="exceeds 100 pixels"):
        decode(data, "b", most_pixels=100)


def test_keys_sort_as_people_count():
    assert sorted(["10", "9", "9-2", "9-10"], key=natural) == ["9", "9-2", "9-10", "10"]
