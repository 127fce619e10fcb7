"""``learnir restore``: results that are there, paths that are odd, refusals that come at once."""

import subprocess
import sys
from unicodedata import normalize

import pytest
from albums import save

from learnir.decoding import VIDEO_SUFFIXES
from learnir.paths import real
from learnir.pipeline import LearnIR
from learnir.planning import PlanError, Writing, plan
from learnir.video import CODECS

LOOP = "Too many levels of symbolic links"


@pytest.fixture
def nothing_restored(monkeypatch):
    """Fails the test where a model is loaded."""
    monkeypatch.setattr(LearnIR, "from_pretrained", lambda *_: pytest.fail("a model was loaded"))


def test_results_that_are_there_are_refused_before_anything(
    command, album, tmp_path, nothing_restored
):
    out = tmp_path / "out"
    (out / "deep").mkdir(parents=True)
    mine = out / "deep" / "b.jpg"
    mine.write_bytes(b"mine")
    mine.chmod(0o400)
    code, said, errors = command(album, "-o", out)
    assert (code, said) == (2, "")
    assert errors.splitlines() == [
        f"learnir: 1 of 2 results are there already, such as {mine}; --resume skips them, "
        "--overwrite replaces them"
    ]
    assert mine.read_bytes() == b"mine"
    assert not (out / "a.png").exists()


def test_a_single_result_that_is_there(command, album, tmp_path, nothing_restored):
    target = tmp_path / "c.png"
    target.symlink_to(tmp_path / "nowhere")
    code, _, errors = command(album / "a.png", "-o", target)
    assert code == 2
    assert errors.splitlines() == [
        f"learnir: {target}: there already; --resume skips it, --overwrite replaces it"
    ]
    assert target.is_symlink()


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_result_whose_accents_are_written_otherwise_is_there(album, tmp_path, forms):
    """As of copies from macOS, or from archives made there."""
    out, (of_picture, of_result) = tmp_path / "out", (normalize(x, "caf\u00e9") for x in forms)
    (album / "a.png").rename(album / f"{of_picture}.png")
    (album / "deep").rename(album / of_picture)
    there = [out / f"{of_result}.png", out / of_result / "b.jpg"]
    there[1].parent.mkdir(parents=True)
    for path in there:
        path.touch()
    tasks = plan([str(album)], out, Writing(resume=True)).tasks
    assert sorted(task.target for task in tasks) == sorted(there)


def test_a_result_is_not_taken_from_a_picture_of_its_very_name(tmp_path, scene):
    names = [normalize(form, "caf\u00e9.png") for form in ("NFC", "NFD")]
    for name in names:
        save(tmp_path / "in" / name, scene(30, 40))
    if len(list((tmp_path / "in").iterdir())) < 2:
        pytest.skip("this disk takes both names for one")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / names[0]).touch()
    tasks = plan([str(tmp_path / "in")], tmp_path / "out", Writing(resume=True)).tasks
    assert [task.target.name for task in tasks] == [task.source.name for task in tasks]


def test_comparisons_are_results_too(album, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png.compare.jpg").touch()
    with pytest.raises(PlanError, match=r"^1 of 4 results are there .*a\.png\.compare\.jpg; "):
        plan([str(album)], out, Writing(compare=True))
    assert len(plan([str(album)], out, Writing()).tasks) == 2


def test_a_result_that_may_be_another_inputs_is_told_when_a_run_goes_on(command, tmp_path, scene):
    given = [tmp_path / "in", "-o", tmp_path / "out", "--format", "jpeg"]
    png, later = save(tmp_path / "in" / "a.png", scene()), tmp_path / "in" / "a.jpg"
    assert command(*given)[0] == 0
    first = tmp_path / "out" / "a.jpg"  # of the PNG, as there was no other yet
    save(later, scene(seed=1))
    code, said, errors = command(*given, "--resume")
    assert (code, "1 restored, 1 skipped" in said) == (0, True)
    assert errors.splitlines() == [
        f"{later}: skipped, as {first} is there; if that was made of {png}, remove it and run again"
    ]
    first.unlink()
    code, said, errors = command(*given, "--resume")
    assert (code, "1 restored, 1 skipped" in said, errors) == (0, True, "")
    assert sorted(path.name for path in first.parent.iterdir()) == ["a.jpg", "a.png.jpg"]


def test_what_is_there_is_replaced_when_asked_for(command, album, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    code, said, _ = command(album, "-o", out, "--overwrite")
    assert (code, "2 restored" in said) == (0, True)
    assert (out / "a.png").stat().st_size > 100


@pytest.mark.parametrize("given", [["-o", ""], ["--out="], ["-o", "out", "--mask", ""]])
def test_an_empty_place_is_not_the_folder_one_is_in(command, album, monkeypatch, given):
    monkeypatch.chdir(album)
    code, said, errors = command("deep/b.jpg", *given)
    assert (code, said) == (2, "")
    assert errors.splitlines() == ["learnir: a path is empty; name a file or folder"]


def test_names_that_begin_with_a_tilde(command, album, tmp_path, monkeypatch):
    monkeypatch.chdir(album)
    monkeypatch.setenv("HOME", str(tmp_path))
    (album / "a.png").rename(album / "~foo.png")
    code, said, errors = command(
        "~foo.png", "~no-such-user/x.jpg", "~/album/deep/b.jpg", "--out=~/o"
    )
    assert code == 1
    assert errors.splitlines() == ["~no-such-user/x.jpg: no such file or folder; check the path"]
    assert "2 restored" in said
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["b.jpg", "~foo.png"]


def test_a_home_is_found_behind_every_option(
    album, tmp_path, monkeypatch, capsys, checkpoint, scene
):
    from learnir.cli import main

    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "m.png", scene(40, 50))
    given = ["--out=~/c.png", "--mask=~/m.png", f"--checkpoint=~/{checkpoint.name}"]
    with pytest.raises(SystemExit) as ended:
        main(["restore", str(album / "a.png"), *given])
    assert ended.value.code == 0, capsys.readouterr().err
    assert (tmp_path / "c.png").is_file()


def test_a_loop_of_links_is_a_line_and_the_others_go_on(command, album, tmp_path):
    loop = album / "loop.jpg"
    loop.symlink_to(loop)
    code, said, errors = command(loop, album / "a.png", "-o", tmp_path / "out")
    assert code == 1
    assert "1 restored, 0 skipped, 1 failed" in said
    assert errors.splitlines() == [f"{loop}: {LOOP}; check the path and its permissions"]


def test_a_loop_of_links_in_other_places(command, album, tmp_path, scene):
    for name in ("out", "masks"):
        (tmp_path / name).symlink_to(tmp_path / name)
    assert real(tmp_path / "out").name == "out"
    code, _, errors = command(album, "-o", tmp_path / "out")
    assert (code, len(errors.splitlines())) == (1, 2)  # of two folders
    save(tmp_path / "m" / "a.png", scene(40, 50))
    (album / "loop.jpg").symlink_to(album / "loop.jpg")
    given = [album, album / "loop.jpg", "-o", tmp_path / "new"]
    code, _, errors = command(*given, "--mask", tmp_path / "masks")
    assert (code, "no such mask" in errors) == (2, True)
    code, said, _ = command(*given, "--mask", tmp_path / "m")
    assert (code, said.split()[0]) == (1, "2")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["restore", "nothing.jpg", "-o", "out"], 1),
        (["restore", "photo.jpg", "-o", "out.bmp"], 2),
        (["restore", "photo.jpg", "-o", "out", "--checkpoint", "nowhere"], 2),
        (["info", "nowhere"], 2),
    ],
)
def test_what_is_refused_is_refused_before_torch_is_loaded(tmp_path, words, status):
    (tmp_path / "photo.jpg").touch()
    program = (
        "import sys, learnir.cli\n"
        f"try: learnir.cli.main({words!r})\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{status} False\n"
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_suffixes_of_videos_are_those_that_have_a_codec():
    assert CODECS.keys() == VIDEO_SUFFIXES
