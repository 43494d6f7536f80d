"""Small real videos, good and bad."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_video(
    path: Path,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    gop: int = 12,
    codec: str = 'libx264',
    options: dict[str, str] | None = None,
    milliseconds: list[int] | None = None,
) -> Path:
    """A video whose upper half is white; its left edge brightens from frame to frame.

    25 frames a second, or at the given times.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    with av.open(str(path), 'w', container_options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = 'yuv420p' if width % 2 == height % 2 == 0 else 'yuv444p'
        stream.codec_context.gop_size = gop
        if milliseconds:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(frames):
            image = np.zeros((height, width, 3), np.uint8)
            image[: height // 2] = 255
            image[:, : width // 8] = min(255, 10 * i)
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            if milliseconds:
                frame.pts, frame.time_base = milliseconds[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000, layout='mono')
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 16000), np.float32), format='fltp', layout='mono'
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def patch_box(path: Path, box: bytes, offset: int, data: bytes) -> None:
    """Overwrites bytes of an mp4 box, counted from its four letters."""
    content = bytearray(path.read_bytes())
    start = content.index(box) + offset
    content[start : start + len(data)] = data
    path.write_bytes(content)


def cut(path: Path) -> Path:
    """Loses the second half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def turn(path: Path, degrees: int) -> None:
    """Tells players to show an .mp4 turned clockwise by 90, 180 or 270 degrees."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = [cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30]
    patch_box(path, b'tkhd', 4 + 40, b''.join(x.to_bytes(4, 'big', signed=True) for x in matrix))


def read_times(path: Path) -> np.ndarray:
    """Seconds of all frames."""
    with av.open(str(path)) as container:
        return np.array([float(frame.time) for frame in container.decode(video=0)])


def read_video(path: Path) -> np.ndarray:
    """All frames (T, H, W, 3), as stored."""
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format='rgb24') for f in container.decode(video=0)])
