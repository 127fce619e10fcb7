"""Videos: every frame relit by a gain that is steadied along the motion; the sound is kept.

The noise of the sampler is the same for every frame, and the gain of a frame is joined with that of
the frame before, carried along the optical flow. Where the two frames do not show the same thing
(a cut, something uncovered, the border of a moving shadow) the frame's own gain counts alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from learnir.gain import GainMap, apply_gain, log_gain, log_luminance, slope
from learnir.images import ImageError, decode_linear
from learnir.pipeline import LearnIR, reduce

CODECS = {".mp4": "libx264", ".m4v": "libx264", ".mov": "libx264", ".mkv": "libx264"}
CODECS[".webm"] = "libvpx-vp9"
VIDEO_SUFFIXES = frozenset(CODECS)
QUALITY = {"crf": "18"}  # hardly to be told from the source
KEPT = 0.8  # share of the gain that is carried over where two frames agree
SAME = 0.25  # stops between two frames' luminance at which they agree by e^-1

Progress = Callable[[int, int | None], None]


@dataclass
class Steady:
    """The gain of successive frames, joined along their motion.

    kept: share carried over where the frames agree; 0 leaves every gain as it is.
    """

    kept: float = KEPT
    flow: Any = field(
        default_factory=lambda: cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    )
    before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def __call__(self, grey: np.ndarray, guide: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """The steadied gain (h, w, 3) of a frame.

        Args:
            grey: the frame, uint8 (h, w); guide: its log2 luminance; gain: stops (h, w, 3).
        """
        if self.kept > 0 and self.before is not None and self.before[0].shape == grey.shape:
            grey_before, guide_before, gain_before = self.before
            moved = self.flow.calc(grey, grey_before, None)
            known, carried = (_carry(x, moved) for x in (guide_before, gain_before))
            agree = np.exp(-(((guide - known) / SAME) ** 2))[..., None]
            gain = gain + self.kept * agree * (carried - gain)
        self.before = grey, guide, gain
        return gain


def _carry(x: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """``x`` of the frame before, seen where it is now: x(p + flow(p))."""
    h, w = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    place = columns + flow[..., 0], rows + flow[..., 1]
    return cv2.remap(x, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def relit(
    learnir: LearnIR, frame: np.ndarray, steady: Steady, options: Mapping[str, Any]
) -> np.ndarray:
    """One uint8 RGB frame (H, W, 3), restored by its steadied gain.

    Args:
        options: keyword arguments of ``LearnIR.restore``; ``mode`` and ``faces`` play no part here.
    """
    own = {k: v for k, v in options.items() if k not in ("mode", "work_size", "strength")}
    own |= {"faces": False}  # close-ups that come and go would flicker
    small = reduce(frame, options.get("work_size") or learnir.config.work_size)
    fine = small.astype(np.uint16) * 257  # a gain in finer steps than those of 8 bits
    observed, restored = (decode_linear(x) for x in (small, learnir.restore(fine, **own).picture))
    guide = log_luminance(observed)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    gain = steady(grey, guide, log_gain(observed, restored))
    strength = options.get("strength", 1.0)
    return apply_gain(frame, GainMap(gain, slope(guide, gain), guide), strength)


def restore_video(
    learnir: LearnIR,
    source: Path,
    target: Path,
    options: Mapping[str, Any],
    progress: Progress | None = None,
) -> int:
    """Restores a video file into another, H.264 or VP9 by its suffix; returns the frames written.

    Frame times, size and sound stay as they are; a recording that players turn is stored upright.
    The file appears whole or not at all.

    Args:
        options: keyword arguments of ``LearnIR.restore``.
        progress: called as (frames done, frames in all or None); what it raises ends the run.

    Raises ImageError for a file that cannot be read as a video, and where PyAV is missing.
    """
    av, steady, done = _pyav(source), Steady(), 0
    with _written_whole(target) as part, ExitStack() as stack:
        try:
            reader = stack.enter_context(av.open(str(source)))
            pictures = reader.streams.video[0]
            writer = stack.enter_context(av.open(str(part), "w"))
            sound = {s: writer.add_stream_from_template(s) for s in reader.streams.audio}
            out, early = None, []  # nothing may be written before all streams are known
            for packet in reader.demux(pictures, *sound):
                if packet.stream in sound:
                    early.append(packet)
                    if out is not None:
                        _copy(early, sound, writer)
                    continue
                for frame in packet.decode():
                    restored = relit(learnir, _upright(frame), steady, options)
                    out = out or _add_pictures(writer, pictures, restored, target.suffix.lower())
                    writer.mux(out.encode(_frame(av, restored, frame, out.pix_fmt)))
                    done += 1
                    if progress is not None:
                        progress(done, pictures.frames or None)
            if out is None:
                raise ImageError(f"{source}: holds no picture; export the video again")
            _copy(early, sound, writer)
            writer.mux(out.encode())
        except (av.FFmpegError, IndexError) as error:
            raise ImageError(f"{source}: not a readable video; convert it to MP4") from error
    return done


def _pyav(source: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise ImageError(f"{source}: videos need PyAV; pip install learnir[video]") from error
    av.logging.set_level(av.logging.PANIC)  # FFmpeg's own lines would stand among ours
    return av


@contextmanager
def _written_whole(target: Path) -> Iterator[Path]:
    """A path to write to; renamed to ``target`` at the end, removed when anything goes wrong."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _copy(packets: list[Any], streams: Mapping[Any, Any], writer: Any) -> None:
    """Sound goes over as it is, and is taken from the list; the empty packet at an end is not."""
    for packet in packets:
        if packet.dts is not None:
            packet.stream = streams[packet.stream]
            writer.mux(packet)
    packets.clear()


def _add_pictures(writer: Any, pictures: Any, first: np.ndarray, suffix: str) -> Any:
    """The stream of restored frames: the source's times and colours, size of the ``first``."""
    out = writer.add_stream(CODECS[suffix], rate=pictures.average_rate, options=dict(QUALITY))
    out.height, out.width = first.shape[:2]
    out.pix_fmt = "yuv420p" if out.height % 2 == out.width % 2 == 0 else "yuv444p"
    out.time_base = pictures.time_base
    for name in ("colorspace", "color_range", "color_primaries", "color_trc"):
        setattr(out.codec_context, name, getattr(pictures.codec_context, name))
    return out


def _matrix(frame: Any) -> str:
    """The matrix between RGB and the frame's YUV: as declared, else by size as players do."""
    declared = {1: "ITU709", 5: "ITU601", 6: "ITU601"}.get(int(frame.colorspace))
    return declared or ("ITU709" if frame.height >= 720 else "ITU601")


def _upright(frame: Any) -> np.ndarray:
    """uint8 RGB (H, W, 3) as a player shows it; ``rotation`` is in degrees, counter-clockwise."""
    rgb = frame.reformat(format="rgb24", src_colorspace=_matrix(frame)).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))


def _frame(av: Any, picture: np.ndarray, like: Any, pix_fmt: str) -> Any:
    """The picture as a frame that is shown when ``like`` was."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame = frame.reformat(format=pix_fmt, dst_colorspace=_matrix(like))
    frame.pts, frame.time_base = like.pts, like.time_base
    return frame
