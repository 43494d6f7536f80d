"""Videos whose frames carry their numbers, so that the truth does not depend on a decoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pmd_mmaction.readers.video_stream import Orientation
from tests.tools.videos import patch_box

FRAMES = 40
SIZE = 96, 64
_BRIGHT, _DARK = 230, 20
# One of the encoders tells its settings otherwise.
os.environ.setdefault('SVT_LOG', '1')


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Eight bright or dark bars, under a bright edge and above a dark one."""
    width, height = size
    image = np.full((height, width, 3), 110, np.uint8)
    image[: height // 4] = _BRIGHT
    image[-(height // 4) :] = _DARK
    for bit in range(8):
        bar = slice(bit * width // 8, (bit + 1) * width // 8)
        image[height // 4 : -(height // 4), bar] = _BRIGHT if number >> bit & 1 else _DARK
    # A dark stripe that moves, so that pictures refer to one another.
    image[2 : height // 8, number % (width - 8) : number % (width - 8) + 8] = _DARK
    return image


def number(image: np.ndarray) -> int:
    """The number in a picture; -1 if it is not upright. Bit 7 is never set: mirrors are seen."""
    height, width = image.shape[:2]
    grey = image.mean(-1)
    if grey[height * 3 // 16].mean() < grey[-1 - height // 16].mean() + 100:
        return -1
    middle = grey[height * 2 // 5 : height * 3 // 5]
    bars = [
        middle[:, (10 * bit + 3) * width // 80 : (10 * bit + 7) * width // 80].mean() > 125
        for bit in range(8)
    ]
    return sum(int(bar) << bit for bit, bar in enumerate(bars))


def as_stored(image: np.ndarray, turn: Orientation) -> np.ndarray:
    """The picture that is upright after ``turn``."""
    image = image[::-1] if turn.flip else image
    image = image[:, ::-1] if turn.mirror else image
    return np.ascontiguousarray(image.swapaxes(0, 1) if turn.transpose else image)


def encode(
    path: Path,
    codec: str = 'libx264',
    options: dict[str, str] | None = None,
    numbers: Sequence[int] = range(FRAMES),
    size: tuple[int, int] = SIZE,
    pix_fmt: str = 'yuv420p',
    turn: Orientation = Orientation(),  # noqa: B008
    milliseconds: Callable[[int], int] | None = None,
    arrange: Callable[[list[av.Packet]], list[av.Packet]] = list,
    flags: int = 0,
    muxer: dict[str, str] | None = None,
    kind: str | None = None,
    before: Callable | None = None,
    rate: int = 25,
) -> None:
    """Writes a video.

    Args:
        path: its suffix names the container.
        codec: the encoder.
        options: of the encoder; a key frame every 12 otherwise.
        numbers: painted into the frames.
        size: shown width and height.
        pix_fmt: how pixels are stored.
        turn: the pictures are stored so that this makes them upright, as :func:`set_matrix` says.
        milliseconds: from the position of a frame to its time stamp.
        arrange: changes the packets before they are written.
        flags: of the encoder.
        muxer: options of the container.
        kind: name of the container where the suffix does not tell.
        before: adds streams to the container before the video, and returns what fills them.
        rate: frames per second.
    """
    with av.open(str(path), 'w', format=kind, container_options=muxer or {}) as container:
        fill = before(container) if before else None
        stream = container.add_stream(codec, rate=rate, options=options or {'g': '12'})
        stream.width, stream.height = size[::-1] if turn.transpose else size
        stream.pix_fmt = pix_fmt
        stream.codec_context.flags |= flags
        if before:
            stream.disposition = av.stream.Disposition.default
        if milliseconds:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for i, n in enumerate(numbers):
            image = as_stored(picture(n, size), turn)
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            if milliseconds:
                frame.pts, frame.time_base = milliseconds(i), Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        if fill:
            fill()
        container.mux(arrange(packets))


def join(path: Path, *parts: dict, **options) -> None:
    """Writes one stream of several, each encoded on its own and continued in time."""
    with av.open(str(path), 'w', **options) as container:
        stream = None
        for part in parts:
            # MPEG-TS keeps the parameters within the packets, where the next part may change them.
            aside = path.with_name(f'part_{path.stem}{".ts" if "codec" not in part else ".mkv"}')
            encode(aside, **part)
            with av.open(str(aside)) as source:
                if stream is None:
                    stream, start = container.add_stream_from_template(source.streams.video[0]), 0
                end = start
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + start, packet.dts + start
                        end = max(end, packet.pts + round(Fraction(1, 25) / packet.time_base))
                        packet.stream = stream
                        container.mux(packet)
                start = end
            aside.unlink()


def set_matrix(path: Path, turn: Orientation) -> None:
    """Tells players of an .mp4 to show it with this turn."""
    mirror, flip = -1 if turn.mirror else 1, -1 if turn.flip else 1
    a, b, c, d = (0, flip, mirror, 0) if turn.transpose else (mirror, 0, 0, flip)
    values = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    patch_box(path, b'tkhd', 4 + 40, b''.join(v.to_bytes(4, 'big', signed=True) for v in values))
