"""Writes videos such as phones make: 38 portrait HEVC .mov and 12 .webm, 6 to 10 seconds each.

python benchmarks/phone_videos.py my_videos
time python tools/pretrain_folder.py my_videos --out work_dirs/mine
"""

import argparse
from pathlib import Path

import av
import numpy as np

HEVC = {'preset': 'ultrafast', 'crf': '30', 'x265-params': 'log-level=0'}
VP8 = {'deadline': 'realtime', 'cpu-used': '8', 'crf': '20'}
KINDS = {'.mov': ('libx265', HEVC), '.webm': ('libvpx', VP8)}


def frames_of(seed: int, count: int, width: int, height: int):
    """A textured disc that wanders over a textured ground, in front of a camera that shakes."""
    random = np.random.default_rng(seed)
    rough = random.integers(30, 226, (height // 40 + 3, width // 40 + 3, 3), dtype=np.uint8)
    ground = rough.repeat(40, 0).repeat(40, 1)
    colour, radius = random.integers(0, 256, 3), int(width * random.uniform(0.12, 0.3))
    place, speed = random.uniform(0.3, 0.7, 2), random.uniform(-0.02, 0.02, 2)
    rows, columns = np.ogrid[:height, :width]
    for step in range(count):
        place, speed = place + speed, np.where(abs(place + speed - 0.5) > 0.4, -speed, speed)
        top, left = (20 + 15 * np.sin(step / np.array([7, 11]))).astype(int)
        frame = ground[top : top + height, left : left + width].copy()
        y, x = place * (height, width)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        frame[inside] = colour // 2 + frame[inside] // 2
        yield frame


def write_video(path: Path, seed: int, size: tuple[int, int], seconds: float) -> None:
    """Encodes one video at 30 frames a second."""
    codec, options = KINDS[path.suffix]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, 'yuv420p'
        for array in frames_of(seed, round(30 * seconds), *size):
            frame = av.VideoFrame.from_ndarray(array, format='rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def make_videos(
    out: Path, mov: int = 38, webm: int = 12, width: int = 720, seconds: tuple = (6.0, 10.0)
) -> None:
    """Writes all; those that are there stay."""
    out.mkdir(parents=True, exist_ok=True)
    for number in range(mov + webm):
        suffix = '.mov' if number < mov else '.webm'
        size = (width, width * 16 // 9 // 2 * 2)
        path = out / f'IMG {number:04d}{suffix}'
        length = seconds[0] + (seconds[1] - seconds[0]) * number % 7 / 7
        if not path.is_file():
            write_video(path, number, size if suffix == '.mov' else size[::-1], length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path)
    parser.add_argument('--width', type=int, default=720, help='of the portrait videos')
    args = parser.parse_args()
    make_videos(args.out, width=args.width)


if __name__ == '__main__':
    main()
