"""Videos that differ in how they store their frames."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tests.tools.videos import patch_box, turn

FRAMES = 40


def picture(number: int, width: int, height: int) -> np.ndarray:
    """A texture that moves, and the number of the frame."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    large = cv2.resize(small, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    image = np.ascontiguousarray(large[number : number + height, number : number + width])
    cv2.putText(image, str(number), (5, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (255,) * 3, 2)
    return image


def write(
    path: Path,
    codec: str = 'libx264',
    pix_fmt: str = 'yuv420p',
    size: tuple[int, int] = (96, 64),
    options: dict | None = None,
    milliseconds=None,
    bt709: bool = False,
) -> Path:
    """A video of 40 frames with a key frame every 12, B-frames where the codec has them.

    Args:
        path: its suffix names the container.
        codec: the encoder.
        pix_fmt: how it stores the pixels.
        size: width and height.
        options: of the encoder.
        milliseconds: from the number of a frame to its time stamp.
        bt709: stored in, and marked as, BT.709.
    """
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options or {'g': '12'})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        if milliseconds:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format='rgb24')
            if bt709:
                frame = frame.reformat(format=pix_fmt, dst_colorspace='ITU709')
                frame.colorspace = 1
            if milliseconds:
                frame.pts, frame.time_base = milliseconds(number), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_rotated(source: Path, path: Path) -> None:
    """A copy that is shown upright, though stored lying."""
    shutil.copy(source, path)
    turn(path, 90)


def make_cut(source: Path, path: Path) -> None:
    """A copy whose edit list hides the first 5 frames, as a cut without encoding leaves it."""
    shutil.copy(source, path)  # a second encoding might differ in a few pixels
    # Version and flags, number of entries, duration; then where the entry begins.
    patch_box(path, b'elst', 4 + 4 + 4 + 4, (1024 + 5 * 512).to_bytes(4, 'big'))


# Name to how it is made. Decord reads all of these rightly.
ZOO = {
    'gop12.mp4': {},
    'gop250.mp4': dict(options={'g': '250'}),
    'open_gop.mp4': dict(options={'x264-params': 'open-gop=1:keyint=12'}),
    'intra_refresh.mp4': dict(options={'x264-params': 'intra-refresh=1:keyint=12'}),
    'late_start.mp4': dict(milliseconds=lambda n: 5000 + 40 * n),
    'variable_rate.mp4': dict(milliseconds=lambda n: 40 * n + 4 * (n * n % 7)),
    'bt709.mp4': dict(bt709=True),
    'odd.mp4': dict(pix_fmt='yuv444p', size=(97, 63)),
    'full_range.avi': dict(codec='mjpeg', pix_fmt='yuvj420p'),
    'h264.mkv': {},
    'h264.avi': {},
    'mpeg4.avi': dict(codec='mpeg4', options=dict(g='12', bf='2')),
    'mpeg2.mpg': dict(codec='mpeg2video', options=dict(g='12', bf='2')),
    'vp9.webm': dict(codec='libvpx-vp9', options=dict(g='12')),
}
# Decord gives wrong frames, or opens none.
BEYOND = {'h264.ts': {}, 'raw.h264': {}}
