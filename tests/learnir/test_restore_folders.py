"""``learnir restore`` of folders and links: what is taken, what is left out and said."""

import io
import os
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest
import tifffile
from albums import save

from learnir import planning, writing
from learnir.pipeline import LearnIR
from learnir.planning import PlanError, Writing, plan


def test_hidden_files_and_folders_are_left_alone(album, tmp_path, scene):
    for hidden in (".c.png", ".thumbnails/d.png", "deep/.trash/deeper/e.png"):
        save(album / hidden, scene())
    made = plan([str(album)], tmp_path / "out", Writing())
    assert [task.source.name for task in made.tasks] == ["a.png", "b.jpg"]
    named = plan([str(album / ".thumbnails")], tmp_path / "out", Writing())
    assert [task.source.name for task in named.tasks] == ["d.png"]


def test_what_a_folder_holds_and_is_not_read_is_said_once(command, album, tmp_path):
    for name in ("a.JXL", "deep/b.jxl", "deep/c.bmp", ".hidden.jxl"):
        (album / name).write_bytes(b"other")
    (album / "linked").symlink_to(tmp_path)
    code, said, errors = command(album, "-o", tmp_path / "out")
    assert code == 0
    assert "2 restored" in said
    assert errors.splitlines() == [
        f"{album / 'linked'}: a link to a folder, not searched; name it too",
        f"{album}: 3 files left out (.bmp 1, .jxl 2); convert to JPEG, PNG or MP4",
    ]


@pytest.mark.parametrize("suffix", [".3g2", ".m2ts", ".mpo", ".nrw", ".pef", ".srw", ".vob"])
def test_what_cameras_write_and_is_not_read_is_counted(album, tmp_path, suffix):
    (album / f"a{suffix}").write_bytes(b"other")
    (note,) = plan([str(album)], tmp_path / "out", Writing()).notes
    assert note.startswith(f"{album}: 1 file left out ({suffix} 1); ")


def test_what_a_folder_does_not_give_away_is_a_failure(command, album, tmp_path, monkeypatch):
    (album / "lost.png").symlink_to(album / "nowhere.png")
    listed = os.scandir

    def locked(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", locked)
    code, said, errors = command(album, "-o", tmp_path / "out")
    assert code == 1
    assert "1 restored, 0 skipped, 2 failed" in said
    assert f"{album / 'deep'}: cannot be listed (Permission denied)" in errors
    assert f"{album / 'lost.png'}: a link to nothing" in errors


def test_the_folder_of_results_is_no_input_among_others(command, album):
    """A shell makes it one of ``album/*`` as soon as it is there."""
    out = album / "restored"
    assert command(*sorted(album.iterdir()), "-o", out)[0] == 1  # for a text
    save(album / "c.png", np.zeros((8, 8, 3), np.uint8))
    (album / "notes.txt").unlink()
    for given in (sorted(album.iterdir()), [album / "*"]):
        code, said, errors = command(*given, "-o", out, "--resume")
        assert code == 0
        assert errors.splitlines() == [f"{out}: where the results go, not searched"]
    assert "0 restored, 3 skipped" in said
    made = plan([str(out)], out, Writing(overwrite=True))  # in place
    assert [task.source.name for task in made.tasks] == ["a.png", "b.jpg", "c.png"]


@pytest.mark.parametrize("name", ["two  spaces.png", "two\nlines.png"])
def test_a_name_is_told_once_and_as_it_is(command, tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    errors = command(tmp_path / name, "-o", tmp_path / "out")[2]
    assert errors == f"{tmp_path / name}: empty file (0 bytes); replace it\n"


def test_results_may_go_into_a_folder_above(album):
    made = plan([str(album / "deep")], album, Writing())
    assert [task.target for task in made.tasks] == [album / "b.jpg"]


def test_names_that_differ_in_capitals_are_refused_where_they_are_one_file(
    tmp_path, scene, monkeypatch
):
    pair = [save(tmp_path / name, scene()) for name in ("x/IMG.jpg", "y/img.jpg")]
    for folds in (True, False):
        monkeypatch.setattr(planning, "FOLDS_CASE", folds)
        if not folds:
            assert len(plan([*map(str, pair)], tmp_path / "out", Writing()).tasks) == 2
            continue
        with pytest.raises(PlanError, match=r"IMG\.jpg and .*img\.jpg: both would become"):
            plan([*map(str, pair)], tmp_path / "out", Writing())
        with pytest.raises(PlanError, match=r"X.IMG\.jpg: is an input"):
            plan([str(tmp_path / "x")], tmp_path / "X", Writing())
        (same,) = plan([str(pair[0])], tmp_path / "X", Writing(overwrite=True)).tasks
        assert same.in_place


def test_names_that_differ_in_spelling_are_refused_where_they_are_one_file(
    tmp_path, scene, monkeypatch
):
    pair = [save(tmp_path / name, scene()) for name in ("x/\u00e9.jpg", "y/e\u0301.jpg")]
    assert len(plan([*map(str, pair)], tmp_path / "out", Writing()).tasks) == 2
    monkeypatch.setattr(planning, "FOLDS_ACCENTS", True)
    with pytest.raises(PlanError, match=r"both would become"):
        plan([*map(str, pair)], tmp_path / "out", Writing())


def test_in_place_a_link_stays_and_its_file_is_restored(command, album):
    before = (album / "a.png").read_bytes()
    (album / "link.png").symlink_to(album / "a.png")
    assert command(album / "link.png", "-o", album / "link.png", "--overwrite")[0] == 0
    assert (album / "link.png").is_symlink()
    assert (album / "a.png").read_bytes() != before


def test_in_place_a_link_beside_its_file_does_not_stop_the_folder(command, album):
    before = (album / "a.png").read_bytes()
    (album / "link.png").symlink_to(album / "a.png")
    code, said, errors = command(album, "-o", album, "--overwrite")
    assert code == 0
    assert "2 restored" in said
    assert f"{album / 'link.png'}: the same file as {album / 'a.png'}, restored once" in errors
    assert (album / "link.png").is_symlink()
    assert (album / "a.png").read_bytes() != before
    elsewhere = plan([str(album)], album.parent / "out", Writing())
    assert len(elsewhere.tasks) == 3  # elsewhere each name gets its picture


def test_a_pipe_that_nobody_writes_to_is_a_line(command, album, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    code, said, errors = command(tmp_path / "pipe.png", album, "-o", tmp_path / "out")
    assert code == 1
    assert "2 restored" in said
    assert f"{tmp_path / 'pipe.png'}: a pipe or device, not a file" in errors


def test_a_folder_that_was_meant_as_a_file_is_said(command, album, tmp_path):
    code, _, errors = command(album / "a.png", "-o", tmp_path / "result.txt")
    assert code == 0
    assert (tmp_path / "result.txt" / "a.png").is_file()
    assert f"{tmp_path / 'result.txt'}: a folder; for a file, end its name with" in errors
    assert command(album / "a.png", "-o", tmp_path / "plain")[2] == ""


@pytest.mark.parametrize(("name", "words"), [("old.avi", "MP4"), ("float.tif", "floating point")])
def test_other_kinds_of_files_name_their_remedy(command, tmp_path, name, words):
    data = io.BytesIO()
    tifffile.imwrite(data, np.zeros((8, 8, 3), np.float32))
    (tmp_path / name).write_bytes(data.getvalue() if name == "float.tif" else b"RIFF")
    code, _, errors = command(tmp_path / name, "-o", tmp_path / "out")
    assert code == 1
    assert words in errors
    assert "JPEG, PNG, WebP or TIFF" not in errors


def test_a_path_that_cannot_be_looked_at_does_not_stop_the_rest(command, album, tmp_path):
    endless = tmp_path / ("a" * 300 + ".jpg")  # as root reads past permissions, a name too long
    (album / "lost.png").symlink_to(endless)
    code, said, errors = command(album, str(endless), "-o", tmp_path / "out")
    assert code == 1
    assert "2 restored, 0 skipped, 2 failed" in said
    assert f"{endless}: File name too long; check the path" in errors
    assert f"{album / 'lost.png'}: a link to nothing" in errors


def test_an_empty_path_is_not_the_folder_one_is_in(album, monkeypatch, tmp_path):
    monkeypatch.chdir(album)
    made = plan(["", "deep"], tmp_path / "out", Writing())
    assert [task.source.name for task in made.tasks] == ["b.jpg"]
    assert made.problems == ["'': no such file or folder; check the path"]


def test_a_file_where_results_should_go_is_told_before_the_work(
    command, album, tmp_path, monkeypatch
):
    (tmp_path / "notes").write_text("kept")
    with pytest.raises(PlanError, match="notes: a file, not a folder; choose another -o"):
        plan([str(album)], tmp_path / "notes", Writing())
    monkeypatch.setattr(LearnIR, "restore", lambda *_, **__: pytest.fail("restored in vain"))
    code, _, errors = command(album / "a.png", "-o", tmp_path / "notes" / "out")
    assert code == 1
    assert errors.splitlines() == [
        f"{tmp_path / 'notes' / 'out'}: cannot be written to (Not a directory), so 1 not restored; "
        "choose another -o, or check the permissions of the folder"
    ]
    assert (tmp_path / "notes").read_text() == "kept"


@pytest.fixture
def locked(monkeypatch):
    """``locked(folder)``: nothing can be made there, though tests may run as root."""

    def lock(folder):
        def refused(dir):
            if Path(dir) == folder:
                raise PermissionError(13, "Permission denied", str(dir))
            return TemporaryFile(dir=dir)

        monkeypatch.setattr(writing, "TemporaryFile", refused)

    return lock


def test_a_folder_that_cannot_be_written_to_is_told_once_before_the_work(
    command, tmp_path, scene, locked, monkeypatch
):
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "flat" / name, scene(20, 20))
    monkeypatch.setattr(LearnIR, "restore", lambda *_, **__: pytest.fail("restored in vain"))
    locked(tmp_path / "out")
    code, said, errors = command(tmp_path / "flat", "-o", tmp_path / "out")
    assert code == 1
    assert "0 restored, 0 skipped, 3 failed" in said
    assert errors.splitlines() == [
        f"{tmp_path / 'out'}: cannot be written to (Permission denied), so 3 not restored; choose "
        "another -o, or check the permissions of the folder"
    ]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a place where none may write")
def test_a_place_where_nothing_can_be_made(command, album):
    code, _, errors = command(album / "a.png", "-o", "/proc/self/results")
    assert code == 1
    assert errors.startswith("/proc/self/results: cannot be written to (No such file")
    assert len(errors.splitlines()) == 1


def test_one_locked_folder_does_not_stop_the_others(command, album, tmp_path, locked):
    locked(tmp_path / "out" / "deep")
    code, said, errors = command(album, "-o", tmp_path / "out")
    assert code == 1
    assert "1 restored, 0 skipped, 1 failed" in said
    assert (
        f"{tmp_path / 'out' / 'deep'}: cannot be written to (Permission denied), so 1 not" in errors
    )


def test_a_locked_folder_with_all_results_is_skipped_as_before(command, album, tmp_path, locked):
    assert command(album, "-o", tmp_path / "out")[0] == 0
    locked(tmp_path / "out")
    code, said, _ = command(album, "-o", tmp_path / "out", "--resume")
    assert (code, "0 restored, 2 skipped" in said) == (0, True)


def test_a_note_that_many_files_share_names_the_first_of_them(command, tmp_path, scene):
    for k in range(8):
        path = save(tmp_path / "phone" / f"{k}.jpg", scene(20, 24), quality=90)
        path.write_bytes(path.read_bytes() + b"hdrgm:")
    told = [f"{tmp_path / 'phone' / f'{k}.jpg'}: HDR gain map left out" for k in range(5)]
    code, said, errors = command(tmp_path / "phone", "-o", tmp_path / "out")
    assert (code, said.startswith("8 restored")) == (0, True)
    assert errors.splitlines() == [*told, "HDR gain map left out: 3 more"]
