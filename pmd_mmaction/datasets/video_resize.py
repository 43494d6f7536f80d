"""A smaller H.264 copy of a video, for a training that decodes it again and again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import av
from av.filter import Graph

from pmd_mmaction.datasets.video_stream import open_video

# Degrees by which a player turns the picture counter-clockwise -> filters that do it.
_TURNS = {
    0: [],
    90: [('transpose', 'cclock')],
    180: [('hflip', None), ('vflip', None)],
    270: [('transpose', 'clock')],
}


class ResizeSettings(NamedTuple):
    """How the copy is made.

    Attributes:
        short_side: pixels of the shorter side; smaller videos keep their size.
        crf: quality of libx264, lower is better.
        preset: speed of libx264.
        gop: frames from one key frame to the next; seeking decodes half of them on average.
    """

    short_side: int = 320
    crf: int = 23
    preset: str = 'medium'
    gop: int = 12


def target_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of the copy: even numbers as H.264 needs them, never enlarged."""
    short = min(width, height)
    new = min(short, short_side)
    return max(2, width * new // short // 2 * 2), max(2, height * new // short // 2 * 2)


def resize_video(paths: tuple[str, str], settings: ResizeSettings) -> int:
    """Writes the copy: no sound, the same frames at the same times, upright.

    The file appears under its name when it is complete and on the disk.

    Args:
        paths: the video, and the ``.mp4`` file to write.
        settings: how.

    Returns:
        The number of frames.

    Raises:
        ValueError: if there is no video in it, or the copy has another number of frames.
        av.FFmpegError: if it cannot be decoded.
    """
    source, target = paths
    aside = os.path.abspath(f'{target}.tmp')
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_video(source) as reader, av.open(aside, 'w', format='mp4') as writer:
            if not reader.streams.video:
                raise ValueError('no video stream')
            count = _copy(reader, writer, settings)
        with open_video(aside) as result:
            written = sum(packet.size > 0 for packet in result.demux(video=0))
        if count == 0 or written != count:
            raise ValueError(f'{count} frames read, {written} written')
        with open(aside, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        Path(aside).unlink(missing_ok=True)
    return count


def _copy(
    reader: av.container.InputContainer,
    writer: av.container.OutputContainer,
    settings: ResizeSettings,
) -> int:
    """Decodes, turns, scales and encodes every frame; gives their number."""
    source, stream, graph, count = reader.streams.video[0], None, None, 0
    source.codec_context.thread_count = 1  # files run in parallel, not their parts
    for frame in reader.decode(source):
        if graph is None:
            graph = _filters(frame, source, settings)
        graph.vpush(frame)
        small = graph.vpull()
        if stream is None:
            stream = _add_stream(writer, source, small, settings)
        small.pict_type = 0  # the encoder chooses key frames itself
        writer.mux(stream.encode(small))
        count += 1
    if stream is not None:
        writer.mux(stream.encode())
    return count


def _add_stream(
    writer: av.container.OutputContainer,
    source: av.VideoStream,
    frame: av.VideoFrame,
    settings: ResizeSettings,
) -> av.VideoStream:
    """An H.264 stream that keeps the times of the source to the tick."""
    stream = writer.add_stream('libx264', rate=source.average_rate or 25)
    stream.width, stream.height = frame.width, frame.height
    stream.pix_fmt = 'yuv420p'
    stream.time_base = stream.codec_context.time_base = source.time_base
    stream.codec_context.gop_size = settings.gop
    stream.codec_context.thread_count = 1
    stream.options = dict(crf=str(settings.crf), preset=settings.preset)
    return stream


def _filters(frame: av.VideoFrame, source: av.VideoStream, settings: ResizeSettings) -> Graph:
    """Turns as the display rotation says, then scales."""
    rotation = round(frame.rotation) % 360
    width, height = frame.width, frame.height
    if rotation in (90, 270):
        width, height = height, width
    width, height = target_size(width, height, settings.short_side)
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format.name,
            time_base=source.time_base,
        )
    ]
    steps = [*_TURNS.get(rotation, []), ('scale', f'{width}:{height}'), ('format', 'yuv420p')]
    nodes += [graph.add(name, arguments) for name, arguments in steps]
    nodes.append(graph.add('buffersink'))
    graph.link_nodes(*nodes).configure()
    return graph
