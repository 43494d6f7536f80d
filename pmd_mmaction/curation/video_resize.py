"""A smaller H.264 copy of a video, which is faster to decode in training."""

from __future__ import annotations

import heapq
import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av

from pmd_mmaction.curation.yuv_scaler import YUVScaler
from pmd_mmaction.readers.video_stream import VideoError, open_video, orientation
from pmd_mmaction.readers.watched_decoding import WatchedDecoding
from pmd_mmaction.storage.atomic_file import atomic_writer

_MAX_REORDER = 16  # frames by which a codec may shift one; the limit of H.264 and HEVC


class ResizeSettings(NamedTuple):
    """Settings of the copy.

    Attributes:
        short_side: pixels of the shorter side; smaller videos keep their size.
        crf: quality of libx264, lower is better.
        preset: speed of libx264.
        gop: frames between key frames; seeking decodes half of them on average.
    """

    short_side: int = 320
    crf: int = 23
    preset: str = 'medium'
    gop: int = 12


def target_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of the copy: even, as H.264 needs, and never enlarged."""
    short = min(width, height)
    new = min(short, short_side)
    return max(2, width * new // short // 2 * 2), max(2, height * new // short // 2 * 2)


def resize_video(paths: tuple[str, str], settings: ResizeSettings) -> int:
    """Writes the copy: no sound, the same frames in the same order at the same times, upright.

    The first frame is at time 0, and colours are kept. The file gets its name only once it is
    complete and on disk.

    Args:
        paths: the video, and the ``.mp4`` file to write.
        settings: settings of the copy.

    Returns:
        The number of frames.

    Raises:
        ValueError: if the file has no video, is damaged (:class:`WatchedDecoding`), or the copy
            has a different number of frames.
        av.FFmpegError: if it cannot be decoded.
    """
    source, target = paths
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_writer(target) as file:
            aside = os.path.abspath(file.name)
            with WatchedDecoding(source) as decoding, av.open(aside, 'w', format='mp4') as writer:
                _copy(decoding, writer, settings)
            if decoding.damage:
                raise ValueError(': '.join(decoding.damage))
            with open_video(aside) as result:
                written = sum(packet.size > 0 for packet in result.demux(video=0))
            if written != decoding.count:
                raise ValueError(f'{decoding.count} frames read, {written} written')
    except VideoError as error:
        raise ValueError(str(error)) from error
    return decoding.count


def _copy(
    decoding: WatchedDecoding, writer: av.container.OutputContainer, settings: ResizeSettings
) -> None:
    """Decodes, rotates, scales and encodes every frame."""
    frames = iter(decoding)
    first = next(frames, None)
    if first is None:
        return  # as the decoding will say
    source = decoding.stream
    size = target_size(first.width, first.height, settings.short_side)
    scaler = YUVScaler(first, source.codec_context, size)
    ratio = source.sample_aspect_ratio
    if ratio and orientation(first).transpose:
        ratio = 1 / ratio
    stream = _add_stream(writer, source, scaler, settings)
    if ratio:
        stream.codec_context.sample_aspect_ratio = ratio
    for frame in _retimed(map(scaler, chain([first], frames)), source):
        frame.pict_type = 0  # the encoder chooses key frames itself
        writer.mux(stream.encode(frame))
    writer.mux(stream.encode())


def _retimed(frames: Iterable[av.VideoFrame], source: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Gives the n-th frame the n-th of all times, from 0; counts where a file has no times.

    Frames come in the right order, but AVI stamps B-frames in the order of decoding.
    """
    step = max(1, round(1 / ((source.average_rate or 25) * source.time_base)))
    waiting: deque[av.VideoFrame] = deque()
    times: list[int] = []
    first, time, last = None, -step, -1

    def release() -> av.VideoFrame:
        nonlocal first, last
        frame, stamp = waiting.popleft(), heapq.heappop(times)
        first = stamp if first is None else first
        frame.pts = last = max(stamp - first, last + 1)
        frame.time_base = source.time_base
        return frame

    for frame in frames:
        time = time + step if frame.pts is None else frame.pts
        heapq.heappush(times, time)
        waiting.append(frame)
        if len(waiting) > _MAX_REORDER:
            yield release()
    while waiting:
        yield release()


def _add_stream(
    writer: av.container.OutputContainer,
    source: av.VideoStream,
    scaler: YUVScaler,
    settings: ResizeSettings,
) -> av.VideoStream:
    """An H.264 stream that keeps the times of the source to the tick, and the colours."""
    stream = writer.add_stream('libx264', rate=source.average_rate or 25)
    stream.width, stream.height = scaler.size
    stream.pix_fmt = 'yuv420p'
    codec = stream.codec_context
    stream.time_base = codec.time_base = source.time_base
    codec.colorspace, codec.color_range = scaler.colours.matrix, scaler.colours.range
    codec.color_primaries, codec.color_trc = scaler.colours.primaries, scaler.colours.transfer
    codec.gop_size = settings.gop
    codec.thread_count = 1
    stream.options = dict(crf=str(settings.crf), preset=settings.preset)
    return stream
