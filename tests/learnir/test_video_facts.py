"""What a video tells beside its frames: title, date, losses, colours by its size, which way up."""

from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from test_video import av, decoded, read_video, write_video

from learnir import video
from learnir.cli import main
from learnir.video import losses_of_video, restore_video

FACTS = {"title": "A day in Köln", "comment": "by the river", "date": "2024"}
CORNERS = {"R": (220, 30, 30), "G": (30, 200, 30), "B": (30, 30, 220), "W": (235, 235, 235)}
SHOWN = {  # a, b, c, d of the track's matrix: the corners RG/BW as players show them
    (1, 0, 0, 1): "RG/BW",
    (-1, 0, 0, 1): "GR/WB",
    (1, 0, 0, -1): "BW/RG",
    (-1, 0, 0, -1): "WB/GR",
    (0, 1, -1, 0): "BR/WG",
    (0, -1, 1, 0): "GW/RB",
    (0, 1, 1, 0): "RB/GW",
    (0, -1, -1, 0): "WG/BR",
}


@pytest.fixture
def titled(scene, tmp_path):
    """A clip with a title, a comment and a date."""
    path = tmp_path / "titled.mkv"
    with av.open(str(path), "w") as writer:
        writer.metadata.update(FACTS)
        stream = writer.add_stream("libx264", rate=12)
        stream.height, stream.width, stream.pix_fmt = 64, 80, "yuv420p"
        frame = av.VideoFrame.from_ndarray(scene(64, 80), format="rgb24")
        writer.mux(stream.encode(frame))
        writer.mux(stream.encode())
    return path


def told(path):
    with av.open(str(path)) as reader:
        return {name.lower(): value for name, value in reader.metadata.items()}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_title_and_date_stay_unless_they_are_to_be_left_out(learnir, titled, tmp_path, suffix):
    out, bare = tmp_path / f"out{suffix}", tmp_path / f"bare{suffix}"
    restore_video(learnir, titled, out, {})
    assert FACTS.items() <= told(out).items()
    restore_video(learnir, titled, bare, {}, strip_metadata=True)
    assert not FACTS.keys() & told(bare).keys()


def test_the_command_leaves_them_out_when_told(checkpoint, titled, tmp_path, capsys):
    restore = ["restore", "--checkpoint", str(checkpoint), "--strip-metadata"]
    with pytest.raises(SystemExit) as ended:
        main([*restore, str(titled), "-o", str(tmp_path / "out")])
    assert ended.value.code == 0, capsys.readouterr().err
    assert not FACTS.keys() & told(tmp_path / "out" / titled.name).keys()


def test_depth_and_dynamic_range_that_are_lost_are_named(scene, tmp_path):
    def clip(name, pix_fmt, **declared):
        return write_video(
            tmp_path / name, [scene(64, 80)], sound=False, pix_fmt=pix_fmt, **declared
        )

    assert losses_of_video(clip("plain.mp4", "yuv420p")) == []
    assert losses_of_video(clip("deep.mkv", "yuv420p10le")) == ["10 bits reduced to 8"]
    _, hdr = losses_of_video(clip("hdr.mkv", "yuv420p10le", color_trc=18, colorspace=1))
    assert "SDR" in hdr


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.webm", "libvpx-vp9", "yuva420p"), ("a.mov", "png", "rgba"), ("a.mkv", "ffv1", "yuva420p")],
)
def test_transparency_that_is_lost_is_named(scene, tmp_path, name, codec, pix_fmt):
    clip = write_video(tmp_path / name, [scene(64, 80)], sound=False, codec=codec, pix_fmt=pix_fmt)
    assert losses_of_video(clip) == ["transparency left out"]


@pytest.mark.parametrize("place", ["out", "in place"])
def test_the_command_names_them(checkpoint, scene, tmp_path, capsys, place):
    clip = write_video(tmp_path / "a.mkv", [scene(64, 80)], sound=False, pix_fmt="yuv420p10le")
    where = tmp_path if place == "in place" else tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(
            ["restore", "--checkpoint", str(checkpoint), str(clip), "-o", str(where), "--overwrite"]
        )
    assert ended.value.code == 0
    assert f"{clip}: 10 bits reduced to 8" in capsys.readouterr().err


def test_a_turned_frame_is_stored_by_the_matrix_of_its_own_height(tmp_path):
    """Declared is none: players take ITU-R 601 below 720 lines and 709 from there on."""
    colours = np.zeros((848, 480, 3), np.uint8)
    colours[:] = cv2.resize(
        np.array([[[200, 40, 40]], [[40, 200, 40]], [[40, 40, 200]]], np.uint8),
        (480, 848),
        interpolation=cv2.INTER_NEAREST,
    )
    landscape = np.ascontiguousarray(np.rot90(colours))
    like, _ = decoded(write_video(tmp_path / "in.mp4", [landscape], sound=False))
    assert like.height == 480
    out = SimpleNamespace(
        width=480, height=848, pix_fmt="yuv420p", codec_context=SimpleNamespace(color_range=1)
    )
    stored = video._frame(colours, like, out)
    assert np.median(np.abs(video._upright(stored).astype(int) - colours)) <= 3


@pytest.mark.parametrize("matrix", SHOWN, ids=SHOWN.get)
def test_a_recording_that_players_turn_or_mirror_is_stored_as_they_show_it(
    learnir, tmp_path, matrix
):
    picture = np.array([[CORNERS["R"], CORNERS["G"]], [CORNERS["B"], CORNERS["W"]]], np.uint8)
    picture = picture.repeat(32, axis=0).repeat(48, axis=1)
    clip = write_video(
        tmp_path / "selfie.mp4", [picture] * 2, sound=False, sample_aspect_ratio=Fraction(4, 3)
    )
    data = bytearray(clip.read_bytes())
    a, b, c, d = (65536 * x for x in matrix)
    struct.pack_into(">5i", data, data.index(b"tkhd") + 44, a, b, 0, c, d)
    clip.write_bytes(data)
    restore_video(learnir, clip, tmp_path / "out.mp4", {"strength": 0.0})

    (shown, _), _, _ = read_video(tmp_path / "out.mp4")
    (H, W), names = shown.shape[:2], list(CORNERS)
    rows = [[shown[y, x] for x in (W // 4, -W // 4)] for y in (H // 4, -H // 4)]
    nearest = np.abs(np.array(rows)[:, :, None].astype(int) - list(CORNERS.values())).sum(-1)
    seen = [[names[i] for i in row] for row in nearest.argmin(-1)]
    assert "/".join(map("".join, seen)) == SHOWN[matrix]
    sideways = matrix[0] == 0
    assert shown.shape == ((96, 64, 3) if sideways else (64, 96, 3))
    after, shape = decoded(tmp_path / "out.mp4")
    assert (after.rotation, shape) == (0, Fraction(3, 4) if sideways else Fraction(4, 3))
