"""Videos: times, size and sound as they were, the gain steady, nothing half-written."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from learnir import video
from learnir.cli import main
from learnir.images import ImageError
from learnir.video import restore_video

av = pytest.importorskip("av", reason="PyAV is not installed (pip install learnir[video])")

FRAMES, RATE = 8, 12
COLOURS = {1: "ITU709", 5: "ITU601"}


def write_video(path, frames, sound=True, codec="libx264", pix_fmt="yuv420p", **declared):
    """Frames at 12 a second, with a tone beside them; ``declared``: of the codec, as colours."""
    with av.open(str(path), "w") as writer:
        pictures = writer.add_stream(codec, rate=RATE, options={"crf": "8"})
        pictures.height, pictures.width = frames[0].shape[:2]
        pictures.pix_fmt = pix_fmt
        for name, value in declared.items():
            setattr(pictures.codec_context, name, value)
        tone = writer.add_stream("aac", rate=8000) if sound else None
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if declared:
                frame = frame.reformat(
                    format=pix_fmt,
                    dst_colorspace=COLOURS.get(declared.get("colorspace"), "ITU601"),
                    dst_color_range=declared.get("color_range"),
                )
            frame.pts = number
            writer.mux(pictures.encode(frame))
        writer.mux(pictures.encode())
        if tone is not None:
            wave = np.sin(np.arange(8000 * len(frames) // RATE) * 0.3).astype(np.float32)[None]
            samples = av.AudioFrame.from_ndarray(0.3 * wave, format="fltp", layout="mono")
            samples.sample_rate = 8000
            writer.mux(tone.encode(samples))
            writer.mux(tone.encode())
    return path


def read_video(path):
    """RGB frames, their times in seconds, and the sound's packets."""
    with av.open(str(path)) as reader:
        frames = list(reader.decode(video=0))
        pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
        times = [float(frame.pts * frame.time_base) for frame in frames]
    with av.open(str(path)) as reader:
        packets = reader.demux(*reader.streams.audio) if reader.streams.audio else []
        sound = [bytes(packet) for packet in packets if packet.dts is not None]
    return pictures, times, sound


@pytest.fixture
def frames(scene):
    """A view that moves over a larger picture."""
    wide = cv2.GaussianBlur(scene(64, 96), (0, 0), 1.5)
    return [np.ascontiguousarray(wide[:, 2 * k : 2 * k + 80]) for k in range(FRAMES)]


@pytest.fixture
def clip(tmp_path, frames):
    return write_video(tmp_path / "clip.mp4", frames)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_size_and_sound_stay(learnir, clip, tmp_path, suffix):
    seen = []
    target = tmp_path / f"restored{suffix}"
    done = restore_video(learnir, clip, target, {"seed": 3}, lambda *p: seen.append(p))
    before, after = read_video(clip), read_video(target)
    assert done == FRAMES
    assert seen == [(n + 1, FRAMES) for n in range(FRAMES)]
    assert [f.shape for f in after[0]] == [f.shape for f in before[0]]
    assert after[1] == pytest.approx(before[1], abs=2e-3)  # Matroska counts in milliseconds
    assert after[2] == before[2]
    assert len(after[2]) > 2
    assert np.mean(after[0][3]) > np.mean(before[0][3]) + 5  # the tiny model brightens


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_uneven_times_stay(learnir, frames, tmp_path, suffix):
    """As phones record: the time from frame to frame changes."""
    wanted = [0, 40, 120, 140, 290, 323, 340, 500][: len(frames)]
    with av.open(str(tmp_path / "uneven.mkv"), "w") as writer:
        pictures = writer.add_stream("libx264", rate=30, options={"bf": "0"})
        pictures.height, pictures.width = frames[0].shape[:2]
        pictures.pix_fmt = "yuv420p"
        pictures.time_base = pictures.codec_context.time_base = Fraction(1, 1000)
        for time, picture in zip(wanted, frames, strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            writer.mux(pictures.encode(frame))
        writer.mux(pictures.encode())
    target = tmp_path / f"out{suffix}"
    restore_video(learnir, tmp_path / "uneven.mkv", target, {})
    assert np.allclose(read_video(target)[1], [time / 1000 for time in wanted], atol=1e-3)


def test_strength_zero_returns_the_video(learnir, clip, tmp_path):
    restore_video(learnir, clip, tmp_path / "same.mp4", {"strength": 0.0})
    for a, b in zip(read_video(clip)[0], read_video(tmp_path / "same.mp4")[0], strict=True):
        assert np.abs(a.astype(float) - b).mean() < 3
        assert np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() < 1.5  # no colour shift


def decoded(path):
    """The first frame as it is stored, and its stream's facts."""
    with av.open(str(path)) as reader:
        return next(reader.decode(video=0)), reader.streams.video[0].sample_aspect_ratio


@pytest.fixture
def colours():
    """Red, green, blue and a ramp from black to white, 64 x 96."""
    picture = np.zeros((64, 96, 3), np.uint8)
    for band, colour in enumerate(((200, 40, 40), (40, 200, 40), (40, 40, 200))):
        picture[16 * band : 16 * (band + 1)] = colour
    picture[48:] = np.linspace(0, 255, 96)[None, :, None]
    return picture


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("colorspace", COLOURS)
@pytest.mark.parametrize(("full", "white"), [(1, 235), (2, 255)])
def test_range_and_matrix_stay_as_declared(
    learnir, colours, tmp_path, suffix, colorspace, full, white
):
    codec = {"codec": "libvpx-vp9", "sound": False} if suffix == ".webm" else {}
    declared = {"colorspace": colorspace, "color_range": full}
    clip = write_video(tmp_path / f"in{suffix}", [colours] * 2, **codec, **declared)
    assert int(decoded(clip)[0].color_range) == full
    restore_video(learnir, clip, tmp_path / f"out{suffix}", {"strength": 0.0})
    before, after = decoded(clip)[0], decoded(tmp_path / f"out{suffix}")[0]
    assert (int(after.color_range), int(after.colorspace)) == (full, colorspace)
    planes = [frame.to_ndarray().astype(int) for frame in (before, after)]
    assert np.abs(planes[1] - planes[0]).mean() < 2
    for luma in (plane[:64] for plane in planes):  # 16 to 235, or 0 to 255
        assert abs(luma.max() - white) < 3
        assert abs(luma.min() - (255 - white) * 0.8) < 3
    shown = video._upright(after).astype(int)
    assert np.median(np.abs(shown - colours)) <= 3


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_recording_in_rgb_becomes_a_video_that_plays(learnir, colours, tmp_path, suffix):
    clip = tmp_path / "screen.mkv"
    write_video(clip, [colours] * 2, sound=False, codec="libx264rgb", pix_fmt="rgb24", colorspace=0)
    restore_video(learnir, clip, tmp_path / f"out{suffix}", {"strength": 0.0})
    after = decoded(tmp_path / f"out{suffix}")[0]
    assert int(after.colorspace) != 0
    assert np.median(np.abs(video._upright(after).astype(int) - colours)) <= 3


@pytest.mark.parametrize(
    ("suffix", "size", "shape"), [(".mp4", (64, 96), Fraction(16, 11)), (".webm", (64, 140), 1)]
)
def test_pixels_that_are_not_square(learnir, colours, tmp_path, suffix, size, shape):
    clip, out = tmp_path / "dvd.mp4", tmp_path / f"out{suffix}"
    write_video(clip, [colours] * 2, sound=False, sample_aspect_ratio=Fraction(16, 11))
    restore_video(learnir, clip, out, {"strength": 0.0})
    frame, after = decoded(out)
    assert ((frame.height, frame.width), after) == (size, shape)


def test_pixels_turn_with_the_picture(colours, tmp_path):
    clip = write_video(
        tmp_path / "dvd.mp4", [colours], sound=False, sample_aspect_ratio=Fraction(4, 3)
    )
    with av.open(str(clip)) as reader, av.open(str(tmp_path / "out.mp4"), "w") as writer:
        for degrees, shape in ((0, Fraction(4, 3)), (90, Fraction(3, 4)), (180, Fraction(4, 3))):
            like = SimpleNamespace(rotation=degrees)
            out = video._add_pictures(writer, colours, like, reader.streams.video[0], ".mp4")
            assert out.codec_context.sample_aspect_ratio == shape


@pytest.mark.parametrize("size", [(16, 320), (320, 16), (2, 64)])
def test_strips_too_thin_for_the_optical_flow(learnir, scene, tmp_path, size):
    clip = write_video(tmp_path / "thin.mp4", [scene(*size, seed=k) for k in range(3)], sound=False)
    assert restore_video(learnir, clip, tmp_path / "out.mp4", {"strength": 1.0}) == 3
    assert read_video(tmp_path / "out.mp4")[0][0].shape == (*size, 3)


def test_odd_sizes_and_silence(learnir, frames, tmp_path):
    odd = [np.ascontiguousarray(f[:63, :79]) for f in frames[:3]]
    clip = write_video(tmp_path / "odd.mp4", odd, sound=False, pix_fmt="yuv444p")
    assert restore_video(learnir, clip, tmp_path / "out.mp4", {}) == 3
    assert read_video(tmp_path / "out.mp4")[0][0].shape == (63, 79, 3)


def test_equal_seeds_give_equal_frames(learnir, clip, tmp_path, monkeypatch):
    """Compared as the encoder gets them: x264 itself does not repeat its bytes under load."""
    encoded, as_frame = [], video._frame

    def spy(picture, *rest):
        encoded.append(picture)
        return as_frame(picture, *rest)

    monkeypatch.setattr(video, "_frame", spy)
    for seed in (5, 5, 6):
        restore_video(learnir, clip, tmp_path / "out.mp4", {"seed": seed})
    first, second, other = np.split(np.array(encoded), 3)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_command_restores_pictures_and_videos(checkpoint, clip, scene, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "photo.png"), scene(40, 50))
    arguments = ["restore", "--checkpoint", str(checkpoint), str(clip), str(tmp_path / "photo.png")]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "-o", str(tmp_path / "out")])
    assert ended.value.code == 0, capsys.readouterr().err
    assert len(read_video(tmp_path / "out" / "clip.mp4")[0]) == FRAMES
    assert (tmp_path / "out" / "photo.png").is_file()


@pytest.mark.parametrize("wrong", ["text", "cut", "sound only", "empty"])
def test_unreadable_videos_are_one_line_and_leave_nothing(learnir, clip, tmp_path, wrong):
    bad = tmp_path / "in" / "bad.mp4"
    bad.parent.mkdir()
    if wrong == "sound only":
        with av.open(str(bad), "w") as writer:
            tone = writer.add_stream("aac", rate=8000)
            samples = av.AudioFrame.from_ndarray(
                np.zeros((1, 8000), np.float32), format="fltp", layout="mono"
            )
            samples.sample_rate = 8000
            writer.mux(tone.encode(samples))
            writer.mux(tone.encode())
    else:
        data = {"text": b"not a video", "cut": clip.read_bytes()[:300], "empty": b""}
        bad.write_bytes(data[wrong])
    out = tmp_path / "out"
    with pytest.raises(ImageError, match=r"bad\.mp4: .*(convert|export)"):
        restore_video(learnir, bad, out / "bad.mp4", {})
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("when", ["at the start", "on the way"])
def test_a_target_that_cannot_be_written_is_what_is_blamed(
    learnir, clip, tmp_path, monkeypatch, when
):
    """Refused by FFmpeg's own errors, as the tests may run as root."""
    full = av.error.OSError(28, "No space left on device")
    target = tmp_path / "out" / "clip.mp4"
    if when == "at the start":
        opened = av.open
        monkeypatch.setattr(
            av, "open", lambda path, *mode, **how: refuse() if mode else opened(path, **how)
        )
    else:
        monkeypatch.setattr(video, "_frame", lambda *_: refuse())

    def refuse():
        raise full

    with pytest.raises(OSError, match="No space left on device") as caught:
        restore_video(learnir, clip, target, {})
    assert caught.value.filename == str(target)
    assert not isinstance(caught.value, ImageError)
    assert list(target.parent.iterdir()) == []


def test_a_target_that_is_a_folder_or_below_a_file(learnir, clip, tmp_path):
    (tmp_path / "taken.mp4").mkdir()
    for target in (tmp_path / "taken.mp4", clip / "below.mp4"):
        with pytest.raises(OSError, match=r"a directory|exists") as caught:
            restore_video(learnir, clip, target, {})
        assert caught.value.filename == str(target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "taken.mp4"]


def test_the_longest_name_that_a_disk_allows(learnir, clip, tmp_path):
    target = tmp_path / ("n" * 251 + ".mp4")
    assert restore_video(learnir, clip, target, {}) == FRAMES
    assert target.is_file()


def test_sound_that_the_format_cannot_hold_names_the_remedy(checkpoint, clip, tmp_path, capsys):
    out = tmp_path / "out.webm"
    with pytest.raises(SystemExit) as ended:
        main(["restore", "--checkpoint", str(checkpoint), str(clip), "-o", str(out)])
    assert ended.value.code == 1
    assert f"{clip}: its sound (aac) does not fit into a .webm file; name the result .mkv" in (
        capsys.readouterr().err
    )
    assert not out.exists()


def test_a_cancelled_run_leaves_the_old_file(learnir, clip, tmp_path):
    target = tmp_path / "out" / "clip.mp4"
    target.parent.mkdir()
    target.write_bytes(b"before")

    def cancel(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_video(learnir, clip, target, {}, cancel)
    assert target.read_bytes() == b"before"
    assert [p.name for p in target.parent.iterdir()] == ["clip.mp4"]


def test_a_video_does_not_become_a_picture(checkpoint, clip, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["restore", "--checkpoint", str(checkpoint), str(clip), "-o", str(tmp_path / "a.png")])
    assert ended.value.code == 2
    assert "a video a video" in capsys.readouterr().err
