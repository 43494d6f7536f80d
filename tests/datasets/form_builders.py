"""How the forms of ``stored_forms.py`` are made."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from pmd_mmaction.readers.video_stream import Orientation
from tests.datasets.numbered_videos import FRAMES, SIZE, encode, join, set_matrix
from tests.tools.videos import patch_box

STORED = Path(__file__).parents[1] / 'data' / 'videos'
INTERLACED = (1 << 18) | (1 << 29)


class Form(NamedTuple):
    """One way to store a video.

    Attributes:
        make: writes it to a path.
        numbers: what its frames show, in order.
        size: width and height of a frame.
    """

    make: Callable[[Path], None]
    numbers: Sequence[int] = range(FRAMES)
    size: tuple[int, int] = SIZE


def form(*args, numbers=range(FRAMES), **options) -> Form:
    """What :func:`encode` writes."""
    return Form(partial(encode, **options), numbers, options.get('size', SIZE))


def x264(params: str = '', **options) -> Form:
    """Groups of 12, two B-frames in a row."""
    params = f'keyint=12:scenecut=0:bframes=2:b-adapt=0:{params}'.strip(':')
    return form(options={'x264-params': params}, **options)


def x265(params: str = '', **options) -> Form:
    params = f'log-level=none:keyint=12:scenecut=0:bframes=2:b-adapt=0:{params}'.strip(':')
    return form(codec='libx265', options={'x265-params': params}, **options)


def mpeg(codec: str, **options) -> Form:
    return form(codec=codec, options={'g': '12', 'bf': '2'}, **options)


def stored(name: str, numbers: Sequence[int] = range(FRAMES), size=SIZE) -> Form:
    return Form(partial(shutil.copy, STORED / name), numbers, size)


# ---------------------------------------------------------------- packets before they are written


def swap_times(packets: list[av.Packet]) -> list[av.Packet]:
    """Two neighbours change their times."""
    packets[5].pts, packets[6].pts = packets[6].pts, packets[5].pts
    for packet in packets:
        packet.dts -= 1  # never later than it is shown
    return packets


def times_of_decoding(packets: list[av.Packet]) -> list[av.Packet]:
    for packet in packets:
        packet.dts += 2  # from 0 on
        packet.pts = packet.dts
    return packets


def equal_times(packets: list[av.Packet]) -> list[av.Packet]:
    packets[7].pts = packets[6].pts
    return packets


def all_keys(packets: list[av.Packet]) -> list[av.Packet]:
    for packet in packets:
        packet.is_keyframe = True
    return packets


def no_keys(packets: list[av.Packet]) -> list[av.Packet]:
    for packet in packets[1:]:
        packet.is_keyframe = False
    return packets


def from_second_key(packets: list[av.Packet]) -> list[av.Packet]:
    """What a cut without decoding leaves: frames before the key frame have lost theirs."""
    second = [i for i, packet in enumerate(packets) if packet.is_keyframe][1]
    return packets[second:]


# ---------------------------------------------------------------- what takes several steps


def turned(turn: Orientation) -> Form:
    def make(path: Path) -> None:
        encode(path, turn=turn)
        set_matrix(path, turn)

    return Form(make)


def cut(first: int, last: int) -> Form:
    """An edit list shows frames ``first`` to ``last`` only."""

    def make(path: Path) -> None:
        encode(path, options={'x264-params': 'keyint=12:scenecut=0:bframes=2:b-adapt=0'})
        duration, start = 40 * (last + 1 - first), 1024 + 512 * first
        patch_box(path, b'elst', 4 + 4 + 4, duration.to_bytes(4, 'big') + start.to_bytes(4, 'big'))

    return Form(make, range(first, last + 1))


def joined_bytes(*parts: Form) -> Form:
    """Files written one behind the other, as MPEG-TS may be."""

    def make(path: Path) -> None:
        content = b''
        for part in parts:
            part.make(path)
            content += path.read_bytes()
        path.write_bytes(content)

    return Form(make, list(itertools.chain(*(p.numbers for p in parts))), parts[0].size)


def joined(*parts: dict, **options) -> Form:
    numbers = list(itertools.chain(*(p.get('numbers', range(FRAMES)) for p in parts)))
    return Form(lambda path: join(path, *parts, **options), numbers, parts[0].get('size', SIZE))


FIRST, SECOND = dict(numbers=range(20)), dict(numbers=range(20, FRAMES))

# ---------------------------------------------------------------- other streams, before the video


def add_picture(container, disposition: int, count: int, width: int = 32):
    """A red picture, or several."""
    stream = container.add_stream('mjpeg', rate=5)
    stream.width = stream.height = width
    stream.pix_fmt = 'yuvj420p'
    stream.disposition = av.stream.Disposition(disposition)
    red = np.full((width, width, 3), (255, 0, 0), np.uint8)

    def fill() -> None:
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(red, format='rgb24')))
        container.mux(stream.encode())

    return fill


def add_sound(container, seconds: float):
    stream = container.add_stream('mp2', rate=16000, layout='mono')

    def fill() -> None:
        for _ in range(round(16000 * seconds / 1152)):
            silence = np.zeros((1, 1152), np.int16)
            frame = av.AudioFrame.from_ndarray(silence, format='s16', layout='mono')
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    return fill


def after(add: Callable, *args) -> Callable:
    return lambda container: add(container, *args)


STILL, PLAIN = 1024, 0
