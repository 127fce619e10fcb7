"""Reading a built FaceShadow to train on."""

import json
import shutil

import pytest

from learnir.cli import main
from learnir.training.data import PairError, open_pairs


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
