"""Data sets as the originals unpack, and what is said when they are not there."""

import dataclasses
import io
import json

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sample_methods import scene, write

from benchmarks import verification
from benchmarks.cli import main
from benchmarks.datasets import DATASETS
from benchmarks.layouts import natural
from benchmarks.names import BenchmarkError
from benchmarks.pairs import decoded, manifest, manifest_hash, open_collection
from benchmarks.pictures import decode
from benchmarks.verification import do_nothing_row, verify
from learnir.exif import ORIENTATION
from learnir.images import upright

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
    "hazydet": ("HazyDet-365K/test/hazy images/3.jpg", "HazyDet-365K/test/clean images/3.jpg"),
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


@pytest.mark.parametrize(
    ("name", "number"), [(e.name, i) for e in DATASETS.values() for i in range(len(e.layouts))]
)
def test_every_declared_layout_is_reached(tmp_path, name, number):
    entry = DATASETS[name]
    layout = entry.layouts[number].at("test")
    root = tmp_path / entry.folders[0]
    write(root / layout.input / f"41{layout.input_ending}.png", scene(0))
    write(root / layout.target / f"41{layout.target_ending}.png", scene(1))
    (source,) = open_collection(name, tmp_path).sources
    assert source.key == "41"


def test_only_the_test_split_of_o_haze_is_taken(tmp_path):
    for number in ("27", "41", "45"):
        for kind, folder in (("hazy", "hazy"), ("GT", "GT")):
            write(tmp_path / "O-HAZE" / folder / f"{number}_outdoor_{kind}.png", scene(0))
    found = open_collection("o-haze", tmp_path)
    assert [s.key[:2] for s in found.sources] == ["41", "45"]
    assert found.complete is False


def istd(root, split, key, seed):
    for letter in "ABC":
        write(root / "ISTD" / split / f"{split}_{letter}" / f"{key}.png", scene(seed))


def test_every_split_is_read_from_its_own_folder(tmp_path):
    istd(tmp_path, "train", "1-1", 0)
    istd(tmp_path, "test", "90-1", 1)
    (train,) = open_collection("istd", tmp_path, "train").sources
    (test,) = open_collection("istd", tmp_path).sources
    assert (train.key, test.key) == ("1-1", "90-1")
    with pytest.raises(BenchmarkError, match="no split 'val'; it has test, train"):
        open_collection("istd", tmp_path, "val")


def test_a_split_that_a_folder_cannot_hold_is_refused(data):
    with pytest.raises(BenchmarkError, match="no split 'train'"):
        open_collection("ucb", data, "train")
    with pytest.raises(BenchmarkError, match="no split"):
        open_collection(str(data / "ucb"), split="../../etc")


def srd(root, split, key, seed):
    write(root / "SRD" / split / "shadow" / f"{key}.png", scene(seed) // 2)
    write(root / "SRD" / split / "shadow_free" / f"{key}_no_shadow.png", scene(seed))


def test_the_disjoint_pairs_of_srd_are_those_train_does_not_hold(tmp_path):
    srd(tmp_path, "test", "a", 0)
    srd(tmp_path, "test", "b", 1)
    with pytest.raises(BenchmarkError, match="unpack train/"):
        open_collection("srd", tmp_path, "disjoint")
    srd(tmp_path, "train", "renamed", 0)
    assert [s.key for s in open_collection("srd", tmp_path, "disjoint").sources] == ["b"]
    assert len(open_collection("srd", tmp_path).sources) == 2


def face_shadow_rows(root, kinds):
    """A FaceShadow as an ImageFolder, one pair of each kind."""
    rows = []
    for i, kind in enumerate(kinds):
        row = {"kind": kind, "identity": f"p{i // 2}"}
        for part, picture in (("shadow", scene(i) // 2), ("clean", scene(i))):
            row[f"{part}_file_name"] = f"{part}/{i}.png"
            write(root / "test" / part / f"{i}.png", picture)
        rows.append(row)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "test" / "metadata.jsonl").write_text(text)
    return rows


def test_face_shadow_pairs_without_a_shadow_are_not_scored(tmp_path):
    rows = face_shadow_rows(tmp_path / "fs", ["occluder", "none", "flat"])
    found = open_collection(str(tmp_path / "fs"))
    assert [s.key for s in found.sources] == ["0", "2"]
    assert [found.scene(s) for s in found.sources] == ["p0", "p1"]
    with pytest.raises(BenchmarkError, match="holds no pair"):
        open_collection(str(tmp_path / "fs"), split="val")
    folder, shards = tmp_path / "fs" / "test", tmp_path / "packed" / "data"
    columns = {k: [r[k] for r in rows] for k in ("kind", "identity")}
    for part in ("shadow", "clean"):
        names = [folder / row[f"{part}_file_name"] for row in rows]
        columns[part] = [{"bytes": n.read_bytes(), "path": n.name} for n in names]
    shards.mkdir(parents=True)
    pd.DataFrame(columns).to_parquet(shards / "test-00000-of-00001.parquet")
    packed = open_collection(str(tmp_path / "packed"))
    assert [s.target() for s in packed.sources] == [s.target() for s in found.sources]


def test_names_in_a_face_shadow_may_hold_separators_of_lines(tmp_path):
    rows = face_shadow_rows(tmp_path / "fs", ["occluder", "flat"])
    table = tmp_path / "fs" / "test" / "metadata.jsonl"
    lines = (json.dumps(row | {"author": "A\u2028B\x85C"}, ensure_ascii=False) for row in rows)
    table.write_text("\n".join(lines), encoding="utf-8")
    assert [s.key for s in open_collection(str(tmp_path / "fs")).sources] == ["0", "1"]


def test_a_face_shadow_in_webdataset_format_is_named_as_such(tmp_path):
    shards = tmp_path / "faceshadow" / "data"
    shards.mkdir(parents=True)
    (shards / "test-00000-of-00001.tar").write_bytes(b"")
    for name, split in ((str(shards.parent), "train"), ("faceshadow", "test")):
        with pytest.raises(BenchmarkError, match=r"webdataset.* build it with --format parquet"):
            open_collection(name, tmp_path, split)


def test_a_release_given_by_its_folder_is_told_how_to_be_named(tmp_path):
    istd(tmp_path, "test", "90-1", 1)
    with pytest.raises(BenchmarkError) as caught:
        open_collection(str(tmp_path / "ISTD"))
    assert str(caught.value).endswith(f"--dataset istd --data-root {tmp_path}")


def test_a_reduced_copy_is_called_one(tmp_path, data):
    for kind in ("hazy", "GT"):
        write(tmp_path / "NH-HAZE" / f"01_{kind}.png", scene(0))
        write(tmp_path / "ISTD_Dataset" / "test" / "test_A" / "1-1.png", scene(0, 640))
        write(tmp_path / "ISTD_Dataset" / "test" / "test_C" / "1-1.png", scene(1, 640))
    assert open_collection("nh-haze", tmp_path).reduced
    assert not open_collection("istd", tmp_path).reduced
    assert any("a reduced copy" in note for note in verify("nh-haze", tmp_path).notes)


def test_verify_knows_the_files_by_their_hash(data, monkeypatch):
    files = manifest(open_collection("ucb", data))
    monkeypatch.setattr(verification, "known_files", lambda name: files)
    assert "24 of 24 files with a known hash" in verify("ucb", data).summary
    write(data / "ucb" / "input" / "01-0.png", scene(77))
    (problem,) = verify("ucb", data).problems
    assert problem.startswith("01-0/input: not the known file")


def test_the_known_hashes_are_those_of_the_data_at_hand(shared_folder):
    report = verify("ucb", shared_folder / "data")
    assert "128 of 128 files with a known hash" in report.summary
    assert report.problems == ()


def test_verify_names_every_absent_set_and_where_to_get_it(data, capsys):
    assert main(["verify", "--data-root", str(data)]) == 0
    out = capsys.readouterr().out
    for name, entry in DATASETS.items():
        assert name == "ucb" or f"{name}: not here; get it: {entry.where}" in out


def test_the_published_input_row_is_held_against_the_files(data, monkeypatch):
    row = do_nothing_row(open_collection("ucb", data), "native-v1")
    published = (("psnr", "native-v1", row["psnr"]), ("ssim", "native-v1", row["ssim"] + 0.1))
    entry = dataclasses.replace(DATASETS["ucb"], input_row=published, counts=(("test", 8),))
    monkeypatch.setitem(DATASETS, "ucb", entry)
    notes = verify("ucb", data, scores=True).notes
    assert [note.rpartition(": ")[2] for note in notes if "of the inputs" in note] == [
        "agrees",
        "differs",
    ]


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
    assert "00-0: has no partner" in capsys.readouterr().err


def test_a_picture_alone_outside_the_split_is_not_the_splits(tmp_path):
    for number in ("27", "41", "42"):
        write(tmp_path / "O-HAZE" / "hazy" / f"{number}_outdoor_hazy.png", scene(0))
    write(tmp_path / "O-HAZE" / "GT" / "41_outdoor_GT.png", scene(1))
    assert open_collection("o-haze", tmp_path).unpaired == ("42_outdoor",)


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


def test_deep_greys_score_as_their_copies_of_eight_bits(score, tmp_path):
    """Dark enough as input, bright enough as target that clipping at 255 would make them equal."""
    for i in range(2):
        target = scene(i)[..., 1]
        for side, grey in (("input", (0.4 * target).astype(np.uint8)), ("target", target)):
            write(tmp_path / "plain" / side / f"{i}.png", grey)
            write(tmp_path / "deep" / side / f"{i}.png", grey * np.uint16(257))
    scores = {}
    for name in ("plain", "deep"):
        run = score(dataset=str(tmp_path / name), root=None)
        scores[name] = {metric: run.mean(metric) for metric in ("psnr", "ssim", "lab_mae")}
    assert scores["deep"] == scores["plain"]
    assert scores["plain"]["psnr"] < 12


@pytest.mark.parametrize(("kind", "mode"), [(np.float32, "F"), (np.int32, "I")])
def test_pixels_that_are_no_picture_are_one_line(kind, mode):
    out = io.BytesIO()
    Image.fromarray(scene(0)[..., 0].astype(kind)).save(out, "TIFF")
    with pytest.raises(BenchmarkError, match=f"^a: pixels of type '{mode}'; save it with 8 or 16"):
        decode(out.getvalue(), "a")


def test_decoded_pictures_are_upright_and_ones_own():
    """Users' methods change them in place."""
    for orientation in range(1, 9):
        image, out = Image.fromarray(scene(0)[:40]), io.BytesIO()
        exif = image.getexif()
        exif[ORIENTATION] = orientation
        image.save(out, "PNG", exif=exif)
        found = decode(out.getvalue(), "a")
        assert np.array_equal(found, upright(scene(0)[:40], orientation))
        assert found.flags.writeable


@pytest.mark.parametrize("part", ["input", "target", "mask"])
def test_two_files_of_one_key_are_refused_with_both_names(data, part):
    write(data / "ucb" / part / "00-0.jpg", scene(1))
    with pytest.raises(BenchmarkError, match=r"00-0\.jpg and 00-0\.png are both 00-0"):
        open_collection("ucb", data)


@pytest.mark.parametrize("part", ["input", "target", "mask"])
def test_a_truncated_picture_is_named(data, part):
    path = data / "ucb" / part / "00-0.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(BenchmarkError, match=f"ucb/00-0 {part}: damaged picture"):
        list(decoded(open_collection("ucb", data)))


def test_keys_sort_as_people_count():
    assert sorted(["10", "9", "9-2", "9-10"], key=natural) == ["9", "9-2", "9-10", "10"]


def test_what_systems_leave_behind_is_no_picture(data):
    for side in ("input", "target"):
        for copy in (".ipynb_checkpoints/00-0-checkpoint.png", "__MACOSX/._00-0.png"):
            write(data / "ucb" / side / copy, scene(0))
    assert len(open_collection("ucb", data).sources) == 8


def test_copies_beyond_the_release_are_refused(tmp_path):
    for folder in ("", "resized"):
        for i in range(28):
            for side in ("hazy", "GT"):
                write(tmp_path / "NH-HAZE" / folder / f"{i:02d}_{side}.png", scene(0, 16))
    with pytest.raises(BenchmarkError, match=r"56 pairs, the test split has 55.*resized/"):
        open_collection("nh-haze", tmp_path)


def test_masks_of_some_pairs_alone_are_refused(data):
    (data / "ucb" / "mask" / "00-0.png").rename(data / "ucb" / "mask" / "00-0_mask.png")
    with pytest.raises(BenchmarkError, match="no mask for 1 of 8 pairs, such as 00-0"):
        open_collection("ucb", data)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"shadow_file_name": "a/1.png", "clean_file_name": "b/1.png"}'] * 2, "are called 1"),
        (['{"shadow_file_name": '], "a damaged line"),
        (["[1]"], "no JSON object"),
        (['{"shadow_file_name": "a/1.png", "clean_file_name": "b/2.png"}'], r"1\.png and 2\.png"),
    ],
)
def test_a_damaged_table_of_pairs_is_refused(tmp_path, lines, words):
    (tmp_path / "fs" / "test").mkdir(parents=True)
    (tmp_path / "fs" / "test" / "metadata.jsonl").write_text("\n".join(lines))
    with pytest.raises(BenchmarkError, match=words):
        open_collection(str(tmp_path / "fs"))


def test_a_file_named_in_the_table_and_missing_is_a_problem(tmp_path):
    (tmp_path / "fs" / "test").mkdir(parents=True)
    row = '{"shadow_file_name": "a/1.png", "clean_file_name": "b/1.png"}'
    (tmp_path / "fs" / "test" / "metadata.jsonl").write_text(row)
    assert "1.png" in verify(str(tmp_path / "fs")).problems[0]


@pytest.mark.parametrize(
    "names", [["test-00000-of-00003"], ["test-00000-of-00001", "test-00000-of-00002"]]
)
def test_shards_that_are_not_one_build_are_refused(tmp_path, names):
    (tmp_path / "fs" / "data").mkdir(parents=True)
    for name in names:
        pd.DataFrame({"shadow": [], "clean": []}).to_parquet(
            tmp_path / "fs" / "data" / f"{name}.parquet"
        )
    with pytest.raises(BenchmarkError, match="not those of one build"):
        open_collection(str(tmp_path / "fs"))


@pytest.mark.parametrize(("column", "words"), [("clean", "no column 'clean'"), (None, "no mask")])
def test_a_shard_without_what_is_scored_is_refused(tmp_path, column, words):
    (tmp_path / "fs" / "data").mkdir(parents=True)
    png = {"bytes": cv2.imencode(".png", scene(0))[1].tobytes(), "path": "x.png"}
    rows = pd.DataFrame({"shadow": [png] * 2, "clean": [png] * 2, "mask": [png, None]})
    rows.drop(columns=column or []).to_parquet(
        tmp_path / "fs" / "data" / "test-00000-of-00001.parquet"
    )
    with pytest.raises(BenchmarkError, match=words):
        list(decoded(open_collection(str(tmp_path / "fs"))))
