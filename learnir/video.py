"""Videos: read, restored frame by frame, written; what lies beside the frames is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from learnir.frames import FrameRestorer
from learnir.images import ImageError
from learnir.pipeline import LearnIR
from learnir.streams import copy_tags, is_sound, left_out, open_writer, titles_of
from learnir.writing import beside, blamed_on

CODECS = {".mp4": "libx264", ".m4v": "libx264", ".mov": "libx264", ".mkv": "libx264"}
CODECS[".webm"] = "libvpx-vp9"
QUALITY = {"crf": "18"}  # hardly to be told from the source
HDR = (16, 18)  # FFmpeg's numbers of transfer functions: PQ and HLG
PREDICTED = 2  # FFmpeg's number of frames that are stored in the order in which they are shown
FRAME_DURATION = 1 << 8  # FFmpeg's flag: what is encoded lasts as long as its frame
RGB, UNSPECIFIED = 0, 2  # FFmpeg's numbers of colour matrices
MISSING = 0.5  # seconds at the end of a file, from which on it counts as cut short

Progress = Callable[[int, int | None], None]


def restore_video(
    learnir: LearnIR,
    source: Path,
    target: Path,
    options: Mapping[str, Any],
    progress: Progress | None = None,
    strip_metadata: bool = False,
    notes: list[str] | None = None,
) -> int:
    """Restores a video file into another, H.264 or VP9 by its suffix; returns the frames written.

    Frame times, size, shape of the pixels, sound with its languages, chapters, title, date and
    place stay as they are; what players turn or mirror is stored as they show it. Frames that
    cannot be decoded are left out. The file appears whole or not at all.

    Args:
        options: keyword arguments of ``LearnIR.restore``.
        progress: called as (frames done, frames in all or None); what it raises ends the run.
        strip_metadata: leave title, date and the like out, but for languages.
        notes: gets a line for frames that could not be decoded, for an end that is missing, for
            interlaced frames, which become whole ones, and for frames of several sizes.

    Raises ImageError for a file that cannot be read as a video or of which less than half can be
    decoded, for sound that the target cannot hold, and where PyAV is missing; OSError where the
    target cannot be written.
    """
    av, restored, done = _pyav(source), FrameRestorer(learnir, options), 0
    suffix = target.suffix  # which tells FFmpeg the format
    with beside(target, suffix) as part, ExitStack() as stack:
        reader = stack.enter_context(_opened(av, source))
        read = _Source(av, source, reader)
        stack.enter_context(blamed_on(target, av.FFmpegError))
        writer = open_writer(av, reader, part, suffix.lower(), strip_metadata)
        result = _Result(stack.enter_context(writer), suffix.lower())
        for one, picture in read.contents():
            if picture is None:
                result.write_sound(one)
                continue
            if not done:  # before the first is restored, so that what does not fit is told at once
                result.begin(read, picture, one, titles_of(av, source), strip_metadata)
            result.write_picture(restored(picture), one)
            done += 1
            if progress is not None:
                progress(done, read.pictures.frames or None)
        read.check()
        result.finish(read.last())
        if notes is not None:
            notes += read.notes()
    return done


def losses_of_video(source: Path) -> list[str]:
    """What ``restore_video`` cannot keep of a video, one note each."""
    with _opened(_pyav(source), source) as reader:
        pictures, notes = reader.streams.video[0], []
        format = pictures.codec_context.format
        bits = max((c.bits for c in format.components), default=8) if format else 8
        if bits > 8:
            notes.append(f"{bits} bits reduced to 8")
        if pictures.codec_context.color_trc in HDR:
            notes.append("high dynamic range taken for standard: convert it to SDR first")
        clear = format and any(c.is_alpha for c in format.components)
        if clear or pictures.metadata.get("alpha_mode") == "1":  # in WebM it lies beside the frames
            notes.append("transparency left out")
        if others := left_out(reader):
            notes.append(f"{others} of its streams left out, subtitles, data or others")
    return notes


def _pyav(source: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise ImageError(
            f"{source}: needs PyAV; in the repository run: pip install -e '.[video]'"
        ) from error
    av.logging.set_level(av.logging.PANIC)  # FFmpeg's own lines would stand among ours
    return av


def _opened(av: Any, source: Path) -> Any:
    try:
        reader = av.open(str(source), metadata_errors="replace")
    except av.FFmpegError as error:
        raise _unreadable(source) from error
    if not reader.streams.video or reader.streams.video[0].codec_context is None:
        reader.close()  # PyAV would crash on what FFmpeg has no decoder for
        raise _unreadable(source)
    return reader


class _Source:
    """The frames and sound of a video in the order of the file, without what is damaged."""

    def __init__(self, av: Any, path: Path, reader: Any) -> None:
        self.av, self.path, self.reader = av, path, reader
        self.pictures = reader.streams.video[0]
        self.packets = self.frames = self.errors = 0
        self.end = 0.0  # of all that was read, in seconds
        self.broken = False  # within, so that nothing more can be read
        self.interlaced = False
        self.sizes: set[tuple[int, int]] = set()
        self.newest: Any = None

    def contents(self) -> Iterator[tuple[Any, np.ndarray | None]]:
        """(frame, its picture) of the pictures, (packet, None) of sound."""
        try:
            for packet in self.reader.demux():
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self.end = max(self.end, float(end))
                if is_sound(packet.stream):
                    yield packet, None
                elif packet.stream is self.pictures:
                    yield from self._decoded(packet)
        except self.av.FFmpegError as error:
            self.broken = isinstance(error, self.av.error.InvalidDataError) and self.frames > 0
            if not self.broken:
                raise _unreadable(self.path) from error

    def _decoded(self, packet: Any) -> Iterator[tuple[Any, np.ndarray]]:
        self.packets += packet.size > 0 and not packet.is_discard
        try:
            frames = packet.decode()
        except self.av.FFmpegError:
            self.errors += 1
            return
        for frame in frames:
            if frame.pts is None or (self.frames and frame.pts <= self.newest.pts):
                self.errors += 1  # nobody can tell when it is shown
                continue
            self.frames += 1
            self.newest = frame
            self.interlaced |= frame.interlaced_frame
            self.sizes.add((frame.width, frame.height))
            yield frame, _upright(frame)

    @property
    def damaged(self) -> int:
        """Frames that were lost, with those that cannot be decoded without another."""
        return max(self.packets - self.frames, self.errors) if self.errors else 0

    @property
    def cut(self) -> bool:
        """Whether the end is missing."""
        stated = (self.reader.duration or 0) / self.av.time_base
        return self.broken or self.end + MISSING < stated

    def check(self) -> None:
        """ImageError where no or less than half the frames could be decoded."""
        if not self.frames and not self.errors:
            raise ImageError(f"{self.path}: holds no picture; export the video again")
        if self.frames < max(self.damaged, 1):
            raise _unreadable(self.path)

    def last(self) -> int:
        """How long the last frame is shown, in units of its time base.

        By the end of the stream where the format tells it: MP4 has durations in the order of
        decoding, which are those of other frames.
        """
        own: int = self.newest.duration
        if self.cut or self.pictures.duration is None:
            return own
        end: int = (self.pictures.start_time or 0) + self.pictures.duration
        return end - self.newest.pts if end > self.newest.pts else own

    def notes(self) -> list[str]:
        """What was missing or taken for what it is not, one line each."""
        notes = []
        if self.interlaced:
            notes.append("interlaced, and restored as if it were not: deinterlace it first")
        if len(self.sizes) > 1:
            notes.append("frames of several sizes, stretched to that of the first")
        if self.damaged:
            count = self.damaged + self.frames
            notes.append(f"{self.damaged} of its {count} frames could not be decoded, left out")
        if self.cut:
            notes.append(f"ends after {self.end:.1f} s, the rest is missing or damaged")
        return notes


def _unreadable(source: Path) -> ImageError:
    return ImageError(
        f"{source}: not a readable video, or damaged or cut short; export it again as MP4"
    )


class _Result:
    """The restored video: pictures encoded anew, sound as it was."""

    def __init__(self, writer: Any, suffix: str) -> None:
        self.writer, self.suffix = writer, suffix
        self.sound: dict[Any, Any] = {}
        self.early: list[Any] = []  # nothing may be written before all streams are known
        self.out: Any = None
        self.waiting: list[Any] = []  # the newest frames: which are the last is not known yet

    def begin(
        self,
        source: _Source,
        first: np.ndarray,
        like: Any,
        titles: Mapping[int, str],
        strip: bool,
    ) -> None:
        """The streams in the source's order; ImageError where the format cannot hold the sound."""
        for stream in source.reader.streams:
            if stream is source.pictures:
                out = self.out = _add_pictures(self.writer, first, like, stream, self.suffix)
            elif is_sound(stream):
                out = self.sound[stream] = self._add_sound(stream, source.path)
            else:
                continue
            copy_tags(out, stream, titles, strip)

    def _add_sound(self, stream: Any, path: Path) -> Any:
        try:
            return self.writer.add_stream_from_template(stream)
        except ValueError as error:
            raise ImageError(
                f"{path}: its sound ({stream.codec_context.name}) does not fit into a "
                f"{self.suffix} file; name the result .mkv"
            ) from error

    def write_sound(self, packet: Any) -> None:
        self.early.append(packet)
        if self.out is not None:
            self._copy()

    def write_picture(self, picture: np.ndarray, like: Any) -> None:
        """A restored frame (H, W, 3), shown when ``like`` was."""
        frame = _frame(picture, like, self.out)
        if self.waiting:
            self.waiting[-1].duration = frame.pts - self.waiting[-1].pts
        self.waiting.append(frame)
        if len(self.waiting) > 2:
            self.writer.mux(self.out.encode(self.waiting.pop(0)))

    def finish(self, last: int) -> None:
        """Writes what is left; the last frame is shown for ``last`` units of its time base."""
        self.waiting[-1].duration = last
        for frame in self.waiting:
            frame.pict_type = PREDICTED  # MP4 forgets how long the last is shown if others follow
            self.writer.mux(self.out.encode(frame))
        self._copy()
        self.writer.mux(self.out.encode())

    def _copy(self) -> None:
        """Sound goes over as it is; the empty packet at an end does not."""
        for packet in self.early:
            if packet.dts is not None:
                packet.stream = self.sound[packet.stream]
                self.writer.mux(packet)
        self.early.clear()


def _add_pictures(writer: Any, first: np.ndarray, like: Any, pictures: Any, suffix: str) -> Any:
    """The stream of restored frames: the source's times and colours, size of the ``first``."""
    out = writer.add_stream(CODECS[suffix], rate=pictures.average_rate, options=dict(QUALITY))
    out.height, out.width = first.shape[:2]
    shape = pictures.sample_aspect_ratio or Fraction(1)
    shape = 1 / shape if _turns(like) % 2 else shape
    if suffix != ".webm":
        out.codec_context.sample_aspect_ratio = shape
    elif shape != 1:  # PyAV has no means to tell WebM: the pixels become square
        out.width = max(2 * round(out.width * shape / 2), 2)
    out.pix_fmt = "yuv420p" if out.height % 2 == out.width % 2 == 0 else "yuv444p"
    # the encoder's as well: its own, one over the mean rate, would move the frames
    out.time_base = out.codec_context.time_base = pictures.time_base
    out.codec_context.flags |= FRAME_DURATION
    for name in ("colorspace", "color_range", "color_primaries", "color_trc"):
        setattr(out.codec_context, name, getattr(pictures.codec_context, name))
    if out.codec_context.colorspace == RGB:  # the source's, of a screen recording; ours is YUV
        out.codec_context.colorspace = UNSPECIFIED
    return out


def _matrix(frame: Any, height: int) -> str:
    """Between RGB and YUV: as the frame declares, else by the stored height as players do."""
    declared = {1: "ITU709", 5: "ITU601", 6: "ITU601"}.get(int(frame.colorspace))
    return declared or ("ITU709" if height >= 720 else "ITU601")


def _turns(frame: Any) -> int:
    """Quarter turns, counter-clockwise, until the frame stands upright, once it is unflipped."""
    return round(frame.rotation / 90)


def _is_flipped(frame: Any) -> bool:
    """Whether top and bottom are exchanged before the turns, as selfies are mirrored.

    FFmpeg tells an angle alone, that of the matrix's first row: in a mirror image the second one
    points the other way.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).astype(np.float64)
    return bool(a * d < b * c)


def _upright(frame: Any) -> np.ndarray:
    """uint8 RGB (H, W, 3) as a player shows it."""
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=_matrix(frame, frame.height),
        dst_colorspace="ITU601",  # RGB has none; PyAV would leave out ITU709 to ITU709 altogether
        src_color_range=frame.color_range,
    ).to_ndarray()
    unflipped = rgb[::-1] if _is_flipped(frame) else rgb
    return np.ascontiguousarray(np.rot90(unflipped, _turns(frame)))


def _frame(picture: np.ndarray, like: Any, out: Any) -> Any:
    """The picture as a frame of the stream ``out`` that is shown when ``like`` was."""
    from av import VideoFrame

    frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        width=out.width,
        height=out.height,
        format=out.pix_fmt,
        dst_colorspace=_matrix(like, out.height),
        dst_color_range=out.codec_context.color_range,
    )
    frame.pts, frame.time_base = like.pts, like.time_base
    return frame
