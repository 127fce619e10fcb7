"""``learnir restore``: files, folders and globs in; as many out, each whole or not at all."""

import io
import os
import struct
import time

import numpy as np
import pytest
from albums import png_chunk, save
from PIL import Image

from learnir import restore
from learnir.planning import PlanError, Writing, plan


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_folder_keeps_its_structure_and_formats(command, album, tmp_path):
    code, out, _ = command(album, "-o", tmp_path / "out")
    assert code == 0
    assert files(tmp_path / "out") == ["a.png", "deep/b.jpg"]
    assert "2 restored, 0 skipped, 0 failed" in out
    with Image.open(tmp_path / "out" / "deep" / "b.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (40, 50))


def test_a_single_file_may_be_named(command, album, tmp_path):
    code, _, _ = command(album / "a.png", "-o", tmp_path / "c.webp")
    assert code == 0
    with Image.open(tmp_path / "c.webp") as image:
        assert image.format == "WEBP"


def test_globs_and_doubles_are_taken_once(album):
    made = plan([str(album / "**" / "*.*g"), str(album)], album.parent / "o", Writing())
    tasks, problems = made.tasks, made.problems
    assert not problems
    assert sorted(t.source.name for t in tasks) == ["a.png", "b.jpg"]


def test_results_below_an_input_folder_are_not_taken_again(command, album):
    out = album / "restored"
    assert command(album, "-o", out)[0] == 0
    assert command(album, "-o", out, "--overwrite")[0] == 0
    assert files(out) == ["a.png", "deep/b.jpg"]


def test_one_seed_gives_the_same_file_twice(command, album, tmp_path):
    for name in ("one", "two"):
        command(album / "a.png", "-o", tmp_path / name, "--seed", 3)
    assert (tmp_path / "one/a.png").read_bytes() == (tmp_path / "two/a.png").read_bytes()
    command(album / "a.png", "-o", tmp_path / "three", "--seed", 4)
    assert (tmp_path / "one/a.png").read_bytes() != (tmp_path / "three/a.png").read_bytes()


@pytest.mark.parametrize("workers", [2, 3])
def test_side_by_side_the_same_pictures_come_of_it(command, tmp_path, scene, workers):
    (tmp_path / "in").mkdir()
    for k in range(5):
        Image.fromarray(scene(40 + 7 * k, 60, seed=k)).save(tmp_path / "in" / f"{k}.png")
    for out, count in (("one", 1), ("more", workers)):
        code, said, _ = command(tmp_path / "in", "-o", tmp_path / out, "--workers", count)
        assert (code, said.split()[0]) == (0, "5")
    for k in range(5):
        one, more = (np.asarray(Image.open(tmp_path / out / f"{k}.png")) for out in ("one", "more"))
        assert np.abs(one.astype(int) - more).max() <= 1  # rounding


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="a system without /dev/fd")
def test_what_a_shell_puts_at_dev_fd_is_read_once(command, tmp_path, scene):
    out, into = os.pipe()
    with os.fdopen(into, "wb") as pipe:
        Image.fromarray(scene(20, 30)).save(pipe, "PNG")
    code, said, _ = command(f"/dev/fd/{out}", "-o", tmp_path / "out.png")
    os.close(out)
    assert (code, said.split()[0]) == (0, "1")
    assert Image.open(tmp_path / "out.png").size == (30, 20)


def test_an_interrupt_ends_what_is_under_way(learnir, album, tmp_path, monkeypatch, scene):
    """The network is asked no more by the pictures beside the one that Ctrl-C came in."""
    for name in ("b.png", "c.png"):
        save(album / name, scene(30, 40))
    asked = []

    def restored(_learnir, task, _writing, options):
        if task.source.name == "a.png":
            time.sleep(0.1)
            raise KeyboardInterrupt
        for _ in range(1000):
            options["progress"](1, 5)
            asked.append(task.source.name)
            time.sleep(0.01)

    monkeypatch.setattr(restore, "restore_file", restored)
    tasks = plan([str(album / f"{name}.png") for name in "abc"], tmp_path / "out", Writing()).tasks
    with pytest.raises(KeyboardInterrupt):
        restore.run(learnir, tasks, Writing(), {}, workers=3)
    assert 0 < len(asked) < 200


def test_no_workers_are_refused(command, album, tmp_path):
    code, _, errors = command(album, "-o", tmp_path / "out", "--workers", 0)
    assert code == 2
    assert errors.splitlines() == ["learnir: --workers is at least 1, got 0"]
    assert not (tmp_path / "out").exists()


def test_resume_leaves_what_is_there(command, album, tmp_path):
    out = tmp_path / "out"
    command(album / "a.png", "-o", out)
    (out / "a.png").write_bytes(b"mine")
    code, said, _ = command(album, "-o", out, "--resume")
    assert code == 0
    assert (out / "a.png").read_bytes() == b"mine"
    assert "1 restored, 1 skipped" in said


def test_compare_writes_before_and_after(command, album, tmp_path):
    command(album / "a.png", "-o", tmp_path / "out", "--compare")
    assert files(tmp_path / "out") == ["a.png", "a.png.compare.jpg"]
    with Image.open(tmp_path / "out" / "a.png.compare.jpg") as image:
        assert image.width > 2 * 50


def test_two_pictures_of_one_stem_are_compared_beside_each_other(command, album, tmp_path, scene):
    save(album / "a.jpg", scene())
    assert command(album, "-o", tmp_path / "out", "--compare")[0] == 0
    assert {"a.jpg.compare.jpg", "a.png.compare.jpg"} <= set(files(tmp_path / "out"))


def test_comparisons_of_an_earlier_run_are_not_restored(command, album):
    before = files(album)
    for _ in range(2):
        code, said, errors = command(album, "-o", album, "--overwrite", "--compare")
        assert code == 0, errors
        assert "2 restored" in said
    extra = ["a.png.compare.jpg", "deep/b.jpg.compare.jpg"]
    assert files(album) == sorted(before + extra)


def test_resume_adds_the_comparisons_that_are_missing(command, album, tmp_path):
    out = tmp_path / "out"
    command(album / "a.png", "-o", out)
    result = (out / "a.png").read_bytes()
    code, said, _ = command(album / "a.png", "-o", out, "--resume", "--compare")
    assert code == 0
    assert "0 restored, 1 skipped" in said
    assert (out / "a.png").read_bytes() == result
    late = (out / "a.png.compare.jpg").read_bytes()
    command(album / "a.png", "-o", tmp_path / "other", "--compare")
    assert (tmp_path / "other" / "a.png.compare.jpg").read_bytes() == late


@pytest.mark.parametrize("suffix", [".bmp", ".GIF", ".heic", ".avi"])
def test_names_that_cannot_be_written_are_no_folders(command, album, tmp_path, suffix):
    out = tmp_path / f"photo{suffix}"
    code, _, errors = command(album / "a.png", "-o", out)
    assert code == 2
    assert errors.startswith(f"learnir: {out}: {suffix} cannot be written; name a .jpg")
    assert not out.exists()
    out.mkdir()  # unless there is one
    assert command(album / "a.png", "-o", out)[0] == 0


@pytest.mark.parametrize("length", [200, 255])
def test_names_may_be_as_long_as_the_disk_allows(command, tmp_path, scene, length):
    source = save(tmp_path / "in" / f"{'n' * (length - 4)}.png", scene(40, 40))
    code, _, errors = command(source, "-o", tmp_path / "out")
    assert code == 0, errors
    assert files(tmp_path / "out") == [source.name]


def test_a_name_too_long_for_a_comparison_gets_its_result_and_a_note(command, tmp_path, scene):
    source = save(tmp_path / "in" / f"{'n' * 240}.png", scene(40, 40))
    told = f"{source}: no before | after picture (File name too long)"
    for resume, counts in ([], "1 restored, 0 skipped"), (["--resume"], "0 restored, 1 skipped"):
        code, said, errors = command(source, "-o", tmp_path / "out", "--compare", *resume)
        assert (code, errors.splitlines()) == (0, [told])
        assert f"{counts}, 0 failed" in said
    assert files(tmp_path / "out") == [source.name]


def test_strip_metadata(command, album, tmp_path, scene):
    exif = Image.Exif()
    exif[0x013B] = "Ann"
    save(album / "named.jpg", scene(), exif=exif)
    command(album / "named.jpg", "-o", tmp_path / "kept")
    command(album / "named.jpg", "-o", tmp_path / "bare", "--strip-metadata")
    assert Image.open(tmp_path / "kept" / "named.jpg").getexif()[0x013B] == "Ann"
    assert 0x013B not in Image.open(tmp_path / "bare" / "named.jpg").getexif()


def bad(folder, scene):
    """Every bad input of the issue, and words its line must hold."""
    picture = Image.fromarray(scene(64, 64))
    whole = io.BytesIO()
    picture.save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("these are words")
    Image.new("1", (8000, 8000)).save(folder / "huge.png")
    picture.save(folder / "moving.webp", save_all=True, append_images=[picture.rotate(90)])
    parts = [(b"IHDR", struct.pack(">2I5B", 30_000, 30_000, 1, 0, 0, 0, 0)), (b"IDAT", b"")]
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*p) for p in parts))
    return {
        "cut.jpg": "damaged or cut short",
        "empty.png": "0 bytes",
        "text.png": "not a readable",
        "moving.webp": "2 frames",
        "huge.png": "64 megapixels",
        "bomb.png": "more than the limit of 50 megapixels",
    }


def test_bad_files_get_one_line_each_and_the_rest_go_on(command, tmp_path, scene):
    folder, out = tmp_path / "mixed", tmp_path / "out"
    folder.mkdir()
    expected = bad(folder, scene)
    save(folder / "good.png", scene(40, 40))
    code, said, errors = command(folder, "-o", out)
    assert code == 1
    assert f"1 restored, 0 skipped, {len(expected)} failed" in said
    assert files(out) == ["good.png"]
    assert "Traceback" not in errors
    for name, words in expected.items():
        lines = [line for line in errors.splitlines() if line.startswith(str(folder / name))]
        assert len(lines) == 1, (name, errors)
        assert words in lines[0]


def test_damaged_exif_ends_neither_the_picture_nor_the_batch(command, album, tmp_path, scene):
    exif = Image.Exif()
    exif[0x013B] = "Ann"
    damaged = exif.tobytes().replace(b"MM", b"XX", 1)
    save(album / "0.jpg", scene(), exif=damaged)
    code, said, errors = command(album, "-o", tmp_path / "out")
    assert code == 0, errors
    assert "3 restored" in said
    assert errors.splitlines() == [f"{album / '0.jpg'}: EXIF damaged: left out"]


def test_what_nobody_expects_is_one_line_and_the_rest_go_on(command, album, tmp_path, monkeypatch):
    def surprise(*_args):
        raise KeyError("width")

    (album / "0.mp4").write_bytes(b"")
    monkeypatch.setattr(restore, "losses_of_video", lambda _source: [])
    monkeypatch.setattr(restore, "restore_video", surprise)
    monkeypatch.setattr(
        restore, "losses", lambda photo, *_: surprise() if photo.format == "png" else []
    )
    code, said, errors = command(album, "-o", tmp_path / "out")
    assert code == 1
    assert "1 restored, 0 skipped, 2 failed" in said
    names = [line.split(": unexpected KeyError ('width'); ")[0] for line in errors.splitlines()]
    assert names == [str(album / "a.png"), str(album / "0.mp4")]  # videos come last


def test_a_format_that_cannot_hold_the_picture_is_told_before_the_work(
    command, album, tmp_path, monkeypatch
):
    save(album / "0.png", np.zeros((2, 20_000, 3), np.uint8))
    worked = []
    monkeypatch.setattr(restore, "encode_photo", lambda *a: worked.append(a) or b"made")
    code, said, errors = command(album, "-o", tmp_path / "out", "--format", "webp")
    assert code == 1
    assert "2 restored, 0 skipped, 1 failed" in said
    assert errors.startswith(f"{album / '0.png'}: 20000 pixels long, webp holds 16383; choose")
    assert len(worked) == 2


@pytest.mark.parametrize(
    "kind", ["one pixel", "16-bit grey", "CMYK", "grey", "RGBA", "narrow", "palette"]
)
def test_unusual_but_sound_pictures_are_restored(command, tmp_path, scene, kind):
    source = tmp_path / ("a.jpg" if kind == "CMYK" else "a.png")
    image = {
        "one pixel": lambda: Image.fromarray(scene(1, 1)),
        "16-bit grey": lambda: Image.fromarray(scene(40, 40, dtype=np.uint16)[..., 0]),
        "CMYK": lambda: Image.fromarray(scene()).convert("CMYK"),
        "grey": lambda: Image.fromarray(scene()).convert("L"),
        "RGBA": lambda: Image.fromarray(np.dstack([scene(), scene()[..., 0]])),
        "narrow": lambda: Image.fromarray(scene(3, 200)),
        "palette": lambda: Image.fromarray(scene()).quantize(8),
    }[kind]()
    image.save(source)
    code, _, errors = command(source, "-o", tmp_path / "out")
    assert code == 0, errors
    with Image.open(tmp_path / "out" / source.name) as restored:
        assert restored.size == image.size
        kept = {"16-bit grey": "I;16", "grey": "L", "RGBA": "RGBA"}.get(kind, "RGB")
        assert restored.mode == kept


def test_a_failed_write_leaves_nothing_behind(command, album, tmp_path, monkeypatch):
    def no_space(path, _data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(restore, "write_atomically", no_space)
    code, _, errors = command(album / "a.png", "-o", tmp_path / "out")
    assert code == 1
    assert "No space left on device" in errors
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.png", "-o", "out"], "gone.png: no such file or folder"),
        (["album", "-o", "one.png"], "give a folder"),
        (["album/a.png", "-o", "album"], "is an input"),
        (["album", "-o", "album", "--overwrite", "--resume"], "leave --resume out"),
        (["album/a.png", "-o", "out", "--scales", "1,1,3"], "5"),
        (["album/a.png", "-o", "out", "--scales", "coarse"], "--scales is drm, fixed"),
        (["album/a.png", "-o", "out", "--strength", "9"], "strength"),
        (["album/a.png", "-o", "out", "--correction", "learned"], "no correction branch"),
        (["album/a.png", "-o", "out", "--device", "cuda:7"], "not available here"),
        (["empty", "-o", "out"], "no picture in this folder"),
    ],
)
def test_what_cannot_start_is_one_line_and_writes_nothing(
    command, album, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = files(album)
    code, _, errors = command(*arguments)
    assert code in (1, 2)
    assert words in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert files(album) == before


def test_overwriting_needs_to_be_asked_for(command, album):
    before = (album / "a.png").read_bytes()
    assert command(album / "a.png", "-o", album, "--overwrite")[0] == 0
    assert (album / "a.png").read_bytes() != before


def test_two_inputs_with_one_output_are_refused(album, tmp_path, scene):
    save(tmp_path / "other" / "a.png", scene())
    with pytest.raises(PlanError, match="both would become"):
        plan([str(album / "a.png"), str(tmp_path / "other" / "a.png")], tmp_path / "o", Writing())


@pytest.mark.parametrize("damage", ["missing", "corrupt", "config", "other config"])
def test_bad_checkpoints_are_one_line(command, checkpoint, album, tmp_path, damage):
    weights, config = checkpoint / "model.safetensors", checkpoint / "config.json"
    if damage == "missing":
        weights.unlink()
    elif damage == "corrupt":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "config":
        config.write_text("{")
    else:
        config.write_text(config.read_text().replace('"width": 8', '"width": 16'))
    code, _, errors = command(album, "-o", tmp_path / "out")
    assert code == 2
    assert len(errors.strip().splitlines()) == 1
    assert str(checkpoint) in errors
    assert not (tmp_path / "out").exists()


def test_a_symlink_to_nowhere_is_a_line(command, album, tmp_path):
    (album / "lost.png").symlink_to(album / "nowhere.png")
    code, said, errors = command(album / "lost.png", "-o", tmp_path / "out")
    assert code == 1
    assert str(album / "lost.png") in errors
    assert "0 restored" in said


def test_other_names_of_a_jpeg(command, album, tmp_path, scene):
    save(album / "c.jfif", scene(40, 50), format="JPEG")
    assert command(album / "c.jfif", "-o", tmp_path / "out")[0] == 0
    with Image.open(tmp_path / "out" / "c.jfif") as image:
        assert image.format == "JPEG"
