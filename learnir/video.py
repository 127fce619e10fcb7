"""Videos: read, restored frame by frame, written; the sound is kept."""

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
from learnir.writing import beside, blamed_on

CODECS = {".mp4": "libx264", ".m4v": "libx264", ".mov": "libx264", ".mkv": "libx264"}
CODECS[".webm"] = "libvpx-vp9"
VIDEO_SUFFIXES = frozenset(CODECS)
QUALITY = {"crf": "18"}  # hardly to be told from the source
OF_THE_CONTAINER = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
HDR = (16, 18)  # FFmpeg's numbers of transfer functions: PQ and HLG
RGB, UNSPECIFIED = 0, 2  # FFmpeg's numbers of colour matrices

Progress = Callable[[int, int | None], None]


def restore_video(
    learnir: LearnIR,
    source: Path,
    target: Path,
    options: Mapping[str, Any],
    progress: Progress | None = None,
    strip_metadata: bool = False,
) -> int:
    """Restores a video file into another, H.264 or VP9 by its suffix; returns the frames written.

    Frame times, size, shape of the pixels, sound, title and date stay as they are; a recording that
    players turn is stored upright. The file appears whole or not at all.

    Args:
        options: keyword arguments of ``LearnIR.restore``.
        progress: called as (frames done, frames in all or None); what it raises ends the run.
        strip_metadata: leave title, date and the like out.

    Raises ImageError for a file that cannot be read as a video, for sound that the target cannot
    hold, and where PyAV is missing; OSError where the target cannot be written.
    """
    av, restored, done = _pyav(source), FrameRestorer(learnir, options), 0
    suffix = target.suffix  # which tells FFmpeg the format
    with beside(target, suffix) as part, ExitStack() as stack:
        reader = stack.enter_context(_opened(av, source))
        pictures = reader.streams.video[0]
        stack.enter_context(blamed_on(target, av.FFmpegError))
        result = _Result(stack.enter_context(av.open(str(part), "w")), suffix.lower())
        if not strip_metadata:
            own = {k: v for k, v in reader.metadata.items() if k not in OF_THE_CONTAINER}
            result.writer.metadata.update(own)
        for sound in reader.streams.audio:
            result.add_sound(sound, source)
        for read, picture in _contents(av, source, reader):
            if picture is None:
                result.write_sound(read)
                continue
            result.write_picture(restored(picture), read, pictures)
            done += 1
            if progress is not None:
                progress(done, pictures.frames or None)
        if not done:
            raise ImageError(f"{source}: holds no picture; export the video again")
        result.finish()
    return done


def losses_of_video(source: Path) -> list[str]:
    """What ``restore_video`` cannot keep of a video, one note each."""
    with _opened(_pyav(source), source) as reader:
        pictures, notes = reader.streams.video[0], []
        bits = max((c.bits for c in pictures.codec_context.format.components), default=8)
        if bits > 8:
            notes.append(f"{bits} bits reduced to 8")
        if pictures.codec_context.color_trc in HDR:
            notes.append("high dynamic range taken for standard: convert it to SDR first")
        others = len(reader.streams) - 1 - len(reader.streams.audio)
        if others:
            notes.append(f"{others} of its streams left out, subtitles, data or further pictures")
    return notes


def _pyav(source: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise ImageError(f"{source}: needs PyAV; run: pip install 'learnir[video]'") from error
    av.logging.set_level(av.logging.PANIC)  # FFmpeg's own lines would stand among ours
    return av


def _opened(av: Any, source: Path) -> Any:
    try:
        reader = av.open(str(source))
    except av.FFmpegError as error:
        raise _unreadable(source) from error
    if not reader.streams.video:
        reader.close()
        raise _unreadable(source)
    return reader


def _contents(av: Any, source: Path, reader: Any) -> Iterator[tuple[Any, np.ndarray | None]]:
    """In the order of the file: (frame, its picture) of the pictures, (packet, None) of sound."""
    try:
        for packet in reader.demux(reader.streams.video[0], *reader.streams.audio):
            if packet.stream.type == "audio":
                yield packet, None
                continue
            for frame in packet.decode():
                yield frame, _upright(frame)
    except av.FFmpegError as error:
        raise _unreadable(source) from error


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

    def add_sound(self, stream: Any, source: Path) -> None:
        """A stream of sound like the source's; ImageError where the format cannot hold it."""
        try:
            self.sound[stream] = self.writer.add_stream_from_template(stream)
        except ValueError as error:
            raise ImageError(
                f"{source}: its sound ({stream.codec_context.name}) does not fit into a "
                f"{self.suffix} file; name the result .mkv"
            ) from error

    def write_sound(self, packet: Any) -> None:
        self.early.append(packet)
        if self.out is not None:
            self._copy()

    def write_picture(self, picture: np.ndarray, like: Any, pictures: Any) -> None:
        """A restored frame (H, W, 3), shown when ``like`` of the stream ``pictures`` was."""
        if self.out is None:
            self.out = _add_pictures(self.writer, picture, like, pictures, self.suffix)
        self.writer.mux(self.out.encode(_frame(picture, like, self.out)))

    def finish(self) -> None:
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
    """Quarter turns, counter-clockwise, until the frame stands upright."""
    return round(frame.rotation / 90)


def _upright(frame: Any) -> np.ndarray:
    """uint8 RGB (H, W, 3) as a player shows it."""
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=_matrix(frame, frame.height),
        dst_colorspace="ITU601",  # RGB has none; PyAV would leave out ITU709 to ITU709 altogether
        src_color_range=frame.color_range,
    ).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, _turns(frame)))


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
