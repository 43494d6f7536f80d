"""Small real videos, good and bad."""

from pathlib import Path

import av
import numpy as np


def write_film(
    path: Path,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    suffix_format: str | None = None,
    gop: int = 12,
    codec: str = 'libx264',
) -> Path:
    """A film whose upper half is white; its left edge darkens from frame to frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    with av.open(str(path), 'w', format=suffix_format) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = 'yuv420p' if width % 2 == height % 2 == 0 else 'yuv444p'
        stream.codec_context.gop_size = gop
        for i in range(frames):
            image = np.zeros((height, width, 3), np.uint8)
            image[: height // 2] = 255
            image[:, : width // 8] = 10 * i
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
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


def turn(path: Path) -> None:
    """Tells players to show the film turned by a quarter clockwise."""
    one = 0x10000
    matrix = [0, one, 0, 2**32 - one, 0, 0, 0, 0, 0x40000000]
    patch_box(path, b'tkhd', 4 + 40, b''.join(x.to_bytes(4, 'big') for x in matrix))


def read_film(path: Path) -> np.ndarray:
    """All frames (T, H, W, 3), as stored."""
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format='rgb24') for f in container.decode(video=0)])
