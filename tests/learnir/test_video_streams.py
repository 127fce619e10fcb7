"""What lies beside the frames of a video, how long the last is held, and what is damaged."""

from __future__ import annotations

import shutil
from fractions import Fraction

import numpy as np
import pytest
from test_video import av, read_video, write_video

from learnir import video
from learnir.images import ImageError
from learnir.streams import titles_of
from learnir.video import losses_of_video, restore_video

MILLISECONDS = Fraction(1, 1000)
CHAPTERS = [("Arrival", 0, 200), ("By the river", 200, 600)]
APPLE = {
    "com.apple.quicktime.creationdate": "2020-05-05T10:00:00+0200",
    "com.apple.quicktime.location.ISO6709": "+48.1+011.5/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 12",
}
MAIN, COMMENT = av.stream.Disposition.default, av.stream.Disposition.comment
SOUNDS = [("eng", "Main", MAIN), ("ger", "Kommentar", COMMENT)]
HELD = 5000  # milliseconds


@pytest.fixture(autouse=True)
def as_they_are(monkeypatch):
    """Frames are returned unrestored: what is tested lies beside them."""
    monkeypatch.setattr(video, "FrameRestorer", lambda *_: np.copy)


@pytest.fixture
def frames(scene):
    wide = scene(64, 160)
    return [np.ascontiguousarray(wide[:, k : k + 80]) for k in range(60)]


def write_timed(path, frames, times, end, **options):
    """Frames shown from ``times`` on, the last until ``end``, all in milliseconds."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 80, "yuv420p"
        stream.time_base = stream.codec_context.time_base = MILLISECONDS
        stream.codec_context.flags |= video.FRAME_DURATION
        for picture, time, until in zip(frames, times, [*times[1:], end], strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base, frame.duration = time, MILLISECONDS, until - time
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode())
    return path


@pytest.fixture
def two_sounds(frames, tmp_path):
    """``two_sounds(suffix)``: a clip with sound in two languages, a title and two chapters."""

    def write(suffix):
        plain, path = write_video(tmp_path / "plain.mp4", frames[:8]), tmp_path / f"two{suffix}"
        with av.open(str(plain)) as reader, av.open(str(path), "w") as writer:
            pictures, tone = reader.streams
            streams = {pictures: [writer.add_stream_from_template(pictures)], tone: []}
            for language, title, disposition in SOUNDS:
                sound = writer.add_stream_from_template(tone)
                sound.metadata.update({"language": language, "title": title})
                sound.disposition = disposition.value
                streams[tone].append(sound)
            writer.metadata["title"] = "A day in Köln"
            writer.set_chapters(
                [
                    {"id": number, "start": start, "end": end, "time_base": MILLISECONDS}
                    | {"metadata": {"title": title}}
                    for number, (title, start, end) in enumerate(CHAPTERS)
                ]
            )
            for packet in reader.demux():
                for stream in streams[packet.stream] if packet.dts is not None else ():
                    copy = av.Packet(bytes(packet))
                    for name in ("pts", "dts", "duration", "time_base", "is_keyframe"):
                        setattr(copy, name, getattr(packet, name))
                    copy.stream = stream
                    writer.mux(copy)
        return path

    return write


def sounds_of(path):
    """(language, title, disposition) of each sound, and the kinds of the streams."""
    titles = titles_of(av, path)
    with av.open(str(path)) as reader:
        sounds = [
            (s.language, s.metadata.get("title", titles.get(s.index)), s.disposition)
            for s in reader.streams.audio
        ]
        return sounds, [s.type for s in reader.streams if s.type != "data"]


def chapters_of(path):
    with av.open(str(path)) as reader:
        return [
            (one["metadata"].get("title"), 1000 * one["start"] * one["time_base"])
            for one in reader.chapters()
        ]


@pytest.mark.parametrize("into", [".mkv", ".mp4", ".mov"])
@pytest.mark.parametrize("of", [".mkv", ".mp4"])
def test_languages_titles_roles_and_chapters_stay(two_sounds, tmp_path, of, into):
    source, target = two_sounds(of), tmp_path / f"out{into}"
    restore_video(None, source, target, {})
    sounds, kinds = sounds_of(target)
    assert [sound[:2] for sound in sounds] == [("eng", "Main"), ("ger", "Kommentar")]
    assert (MAIN in sounds[0][2], MAIN in sounds[1][2]) == (True, False)
    assert COMMENT in sounds[1][2] or into == ".mov"  # which has no place for it
    assert kinds == ["video", "audio", "audio"]
    assert chapters_of(target) == [(title, start) for title, start, _ in CHAPTERS]
    assert losses_of_video(source) == []  # the list of chapters is a stream of an MP4


@pytest.mark.parametrize("into", [".mkv", ".mp4"])
def test_without_metadata_languages_and_times_of_chapters_stay(two_sounds, tmp_path, into):
    target = tmp_path / f"out{into}"
    restore_video(None, two_sounds(".mp4"), target, {}, strip_metadata=True)
    assert [sound[:2] for sound in sounds_of(target)[0]] == [("eng", None), ("ger", None)]
    assert [(title or None, start) for title, start in chapters_of(target)] == [
        (None, start) for _, start, _ in CHAPTERS
    ]
    assert not any(word in target.read_bytes() for word in (b"Kommentar", b"river", b"Day"))


def test_sound_that_comes_first_stays_first(frames, tmp_path):
    with (
        av.open(str(write_video(tmp_path / "plain.mp4", frames[:8]))) as reader,
        av.open(str(tmp_path / "first.mkv"), "w") as writer,
    ):
        pictures, tone = reader.streams
        copies = {s: writer.add_stream_from_template(s) for s in (tone, pictures)}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream]
                writer.mux(packet)
    restore_video(None, tmp_path / "first.mkv", tmp_path / "out.mkv", {})
    assert sounds_of(tmp_path / "out.mkv")[1] == ["audio", "video"]


@pytest.mark.parametrize("into", [".mov", ".mp4", ".mkv"])
def test_what_an_iphone_tells_stays(frames, tmp_path, into):
    source, target, bare = (tmp_path / name for name in ("in.mov", f"out{into}", f"bare{into}"))
    with (
        av.open(str(write_video(tmp_path / "plain.mp4", frames[:2], sound=False))) as reader,
        av.open(str(source), "w", options={"movflags": "use_metadata_tags"}) as writer,
    ):
        writer.metadata.update(APPLE)
        copy = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = copy
                writer.mux(packet)
    restore_video(None, source, target, {})
    with av.open(str(target)) as reader:
        told = {name.lower(): value for name, value in reader.metadata.items()}
    assert {name.lower(): value for name, value in APPLE.items()}.items() <= told.items()
    restore_video(None, source, bare, {}, strip_metadata=True)
    assert b"iPhone" not in bare.read_bytes()


def test_other_titles_stay_where_players_look_for_them(two_sounds, tmp_path):
    restore_video(None, two_sounds(".mkv"), tmp_path / "out.mp4", {})
    assert b"\xa9nam" in (tmp_path / "out.mp4").read_bytes()


def test_a_title_in_another_encoding_does_not_stop_the_video(two_sounds, tmp_path):
    source = two_sounds(".mp4")
    latin = source.read_bytes().replace("Köln".encode(), "Köln!".encode("latin-1"))
    source.write_bytes(latin)
    assert restore_video(None, source, tmp_path / "out.mp4", {}) == 8


@pytest.mark.parametrize("into", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("count", [1, 2, 7, 8])
@pytest.mark.parametrize("of", [".mp4", ".mkv"])
def test_the_last_frame_is_held_as_long(frames, tmp_path, count, of, into):
    times = [40 * k for k in range(count)]
    source = write_timed(tmp_path / f"in{of}", frames, times, times[-1] + HELD, bf="0")
    target, notes = tmp_path / f"out{into}", []
    restore_video(None, source, target, {}, notes=notes)
    with av.open(str(target)) as reader:
        assert reader.duration / 1e6 == pytest.approx((times[-1] + HELD) / 1000)
    assert np.allclose(read_video(target)[1], [time / 1000 for time in times], atol=1e-3)
    assert notes == []


@pytest.mark.parametrize("into", [".mp4", ".mkv"])
def test_the_last_frame_is_not_held_as_long_as_another(frames, tmp_path, into):
    """In an MP4, frames come in the order of decoding and so do their durations."""
    times = [0, 2000, 4000]
    source, target = tmp_path / "in.mp4", tmp_path / f"out{into}"
    restore_video(None, write_timed(source, frames, times, 4040), target, {})
    with av.open(str(target)) as reader:
        assert reader.duration == 4_040_000


def damage(source, numbers):
    """Overwrites video packets, counted in the order of the file."""
    with av.open(str(source)) as reader:
        packets = [bytes(packet) for packet in reader.demux(video=0) if packet.size]
    data = source.read_bytes()
    for number in numbers:
        data = data.replace(packets[number], b"\xff" * len(packets[number]))
    source.write_bytes(data)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_damaged_frames_are_left_out_and_told(frames, tmp_path, suffix):
    times, source = [40 * k for k in range(12)], tmp_path / f"in{suffix}"
    damage(write_timed(source, frames, times, 480, bf="0"), [4, 5])
    target, notes = tmp_path / f"out{suffix}", []
    assert restore_video(None, source, target, {}, notes=notes) == 10
    assert notes == ["2 of its 12 frames could not be decoded, left out"]
    left = [time / 1000 for time in times if time not in (160, 200)]
    assert np.allclose(read_video(target)[1], left, atol=1e-3)


def test_frames_whose_times_go_back_are_left_out_and_told(frames, tmp_path):
    plain = write_timed(tmp_path / "plain.mkv", frames, [40 * k for k in range(12)], 480, bf="0")
    with av.open(str(plain)) as reader, av.open(str(tmp_path / "in.mkv"), "w") as writer:
        copy = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux():
            if packet.dts is not None:
                packet.pts = 200 if packet.pts == 80 else packet.pts
                packet.stream = copy
                writer.mux(packet)
    target, notes = tmp_path / "out.mp4", []
    assert restore_video(None, tmp_path / "in.mkv", target, {}, notes=notes) == 9
    assert notes == ["3 of its 12 frames could not be decoded, left out"]
    assert np.allclose(read_video(target)[1][:4], [0, 0.04, 0.2, 0.24], atol=1e-3)


@pytest.mark.parametrize("gone", [range(12), range(4, 12)])
def test_a_video_of_which_most_is_damaged_is_refused(frames, tmp_path, gone):
    source, out = tmp_path / "in.mp4", tmp_path / "out"
    damage(write_timed(source, frames, [40 * k for k in range(12)], 480, bf="0"), gone)
    with pytest.raises(ImageError, match=r"in\.mp4: .*damaged"):
        restore_video(None, source, out / "in.mp4", {})
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(("suffix", "options"), [(".mkv", {}), (".mp4", {"movflags": "faststart"})])
def test_a_video_cut_short_is_restored_so_far_and_told(frames, tmp_path, suffix, options):
    plain, source = write_video(tmp_path / "plain.mp4", frames), tmp_path / f"cut{suffix}"
    with (
        av.open(str(plain)) as reader,
        av.open(str(source), "w", options=options) as writer,
    ):
        copies = {s: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream]
                writer.mux(packet)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    target, notes = tmp_path / f"out{suffix}", []
    done = restore_video(None, source, target, {}, notes=notes)
    assert 10 < done < 50
    (note,) = notes
    assert note.startswith("ends after ")
    assert note.endswith(" s, the rest is missing or damaged")
    with av.open(str(target)) as reader:  # the last frame does not stand for what is missing
        assert reader.duration / 1e6 == pytest.approx(float(note.split()[2]), abs=0.3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_whole_video_gets_no_note(two_sounds, tmp_path, suffix):
    notes = []
    restore_video(None, two_sounds(suffix), tmp_path / f"out{suffix}", {}, notes=notes)
    assert notes == []


def test_interlaced_frames_are_told(frames, tmp_path):
    """As camcorders made them: players would have taken their lines apart, and will not again."""
    lines = {"flags": "+ildct+ilme", "x264-params": "tff=1", "crf": "18"}
    source = write_timed(tmp_path / "in.mp4", frames[:4], [0, 40, 80, 120], 160, **lines)
    notes = []
    restore_video(None, source, tmp_path / "out.mp4", {}, notes=notes)
    assert notes == ["interlaced, and restored as if it were not: deinterlace it first"]


def test_frames_of_several_sizes_are_told(frames, tmp_path):
    """As of a call in which somebody turned the telephone."""
    source, target, notes = tmp_path / "in.mkv", tmp_path / "out.mkv", []
    with av.open(str(source), "w") as writer:
        stream = writer.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 80, 64, "yuvj420p"
        for number, width in enumerate((80, 80, 40)):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, 64, "yuvj420p"
            encoder.time_base = stream.time_base = Fraction(1, 25)
            frame = av.VideoFrame.from_ndarray(frames[number][:, :width].copy(), format="rgb24")
            frame.pts = number
            for packet in encoder.encode(frame):
                packet.stream = stream
                writer.mux(packet)
    assert restore_video(None, source, target, {}, notes=notes) == 3
    assert notes == ["frames of several sizes, stretched to that of the first"]
    assert {picture.shape for picture in read_video(target)[0]} == {(64, 80, 3)}


def test_frames_without_times_are_refused(frames, tmp_path):
    """A bare stream of H.264 under another name: a player may guess, we do not."""
    plain = write_video(tmp_path / "plain.mp4", frames[:8], sound=False)
    with av.open(str(plain)) as reader, av.open(str(tmp_path / "raw.h264"), "w") as writer:
        copy = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = copy
                writer.mux(packet)
    shutil.move(tmp_path / "raw.h264", tmp_path / "raw.mp4")
    with pytest.raises(ImageError, match=r"raw\.mp4: .*export it again"):
        restore_video(None, tmp_path / "raw.mp4", tmp_path / "out.mp4", {})


def test_sound_that_nobody_knows_is_left_out_and_told(two_sounds, tmp_path):
    source = two_sounds(".mkv")
    source.write_bytes(source.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    assert losses_of_video(source) == ["2 of its streams left out, subtitles, data or others"]
    assert restore_video(None, source, tmp_path / "out.mkv", {}) == 8
    assert sounds_of(tmp_path / "out.mkv")[1] == ["video"]


def test_pictures_that_nobody_knows_are_refused(two_sounds, tmp_path):
    """PyAV would end the process on decoding them."""
    source = two_sounds(".mkv")
    source.write_bytes(source.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_XXXXX/XXX/XXX"))
    for way in (losses_of_video, lambda path: restore_video(None, path, tmp_path / "out.mkv", {})):
        with pytest.raises(ImageError, match="not a readable video"):
            way(source)
