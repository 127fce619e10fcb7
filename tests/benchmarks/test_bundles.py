"""The zips and folders that submissions come in: what is hostile is refused unread."""

import stat
import tempfile
import zipfile

import pytest

from benchmarks.bundles import Limits, opened
from benchmarks.names import BenchmarkError
from benchmarks.submissions import submit


def archive(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, body)
    return path


FILE = stat.S_IFREG | 0o644


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (("../../evil.png", b"x", FILE), "outside"),
        (("/tmp/evil.png", b"x", FILE), "outside"),
        (("results\\..\\evil.png", b"x", FILE), "outside"),
        (("C:/evil.png", b"x", FILE), "outside"),
        (("results/link.png", b"/etc/passwd", stat.S_IFLNK | 0o777), "symbolic link"),
        (("results/bomb.png", b"\0" * (30 << 20), FILE), "zip bomb"),
        (("results/big.png", b"\0" * (65 << 20), FILE), "larger than"),
        (("__MACOSX/../../evil.png", b"x", FILE), "outside"),
        (("s_ok/.link", b"/etc/passwd", stat.S_IFLNK | 0o777), "symbolic link"),
        (("__MACOSX/bomb", b"\0" * (30 << 20), FILE), "zip bomb"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else given,
)
def test_a_hostile_zip_is_refused_before_it_is_unpacked(
    tmp_path, results, monkeypatch, member, words
):
    path, unpacked = archive(tmp_path / "evil.zip", member), tmp_path / "deep" / "down"
    unpacked.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(unpacked))
    verdict = submit(path, results, tmp_path)
    assert not verdict.accepted
    assert words in verdict.reason
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


def test_names_that_collide_and_too_many_files_are_refused(tmp_path):
    twice = archive(tmp_path / "a.zip", ("results/A.png", b"", FILE), ("results/a.png", b"", FILE))
    with pytest.raises(BenchmarkError, match="twice"), opened(twice):
        pass
    many = archive(tmp_path / "b.zip", *((f"{i}", b"", FILE) for i in range(5)))
    with pytest.raises(BenchmarkError, match="more than 3 files"), opened(many, Limits(files=3)):
        pass


def test_what_is_no_zip_is_refused(tmp_path, results):
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 not really")
    assert "not a readable zip" in submit(tmp_path / "a.zip", results).reason
    assert "no such folder" in submit(tmp_path / "nothing", results).reason


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_that_is_damaged_inside_is_refused(tmp_path, results, method):
    path = tmp_path / "torn.zip"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("submission.json", bytes(range(256)) * 20)
    data = bytearray(path.read_bytes())
    start = 30 + len("submission.json") + 12  # behind the headers of member and stream
    data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)
    verdict = submit(path, results)
    assert not verdict.accepted
    assert "not a readable zip" in verdict.reason


def test_a_link_is_refused_wherever_it_lies(tmp_path):
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "top").symlink_to("/etc")
    with pytest.raises(BenchmarkError, match="symbolic link"), opened(tmp_path / "sent"):
        pass


def test_what_is_ignored_counts_as_a_file_but_is_not_unpacked(tmp_path):
    names = ("top/submission.json", "top/.DS_Store", "__MACOSX/top/._submission.json")
    path = archive(tmp_path / "a.zip", *((name, b"{}", FILE) for name in names))
    with opened(path) as folder:
        assert folder.name == "top"
        assert [found.name for found in folder.parent.rglob("*")] == ["top", "submission.json"]
    with pytest.raises(BenchmarkError, match="more than 2 files"), opened(path, Limits(files=2)):
        pass


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a/results", "a/results/x.png"), "a/results/x.png: the zip has a file where this needs"),
        (("a/results/x.png", "a/results"), "a/results: the zip has a file where this needs a fold"),
        (("r" * 300 + ".png",), f"{'r' * 80}: cannot be unpacked (File name too long)"),
    ],
)
def test_members_that_cannot_be_unpacked_are_named_alone(tmp_path, results, names, said):
    path = archive(tmp_path / "a.zip", *((name, b"x", FILE) for name in names))
    verdict = submit(path, results, tmp_path)
    assert not verdict.accepted
    assert verdict.reason.startswith(said)
    assert "submission-" not in verdict.reason  # the folder it was unpacked to
    assert "Errno" not in verdict.reason
