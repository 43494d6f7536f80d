"""A smaller H.264 copy of a video, for a training that decodes it again and again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


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
    """Width and height of the copy: even numbers, never enlarged."""
    scale = min(1.0, short_side / min(width, height))
    return tuple(max(2, round(side * scale / 2) * 2) for side in (width, height))


def resize_video(paths: tuple[str, str], settings: ResizeSettings) -> int:
    """Writes the copy: no sound, the same frames at the same times, upright.

    The file appears under its name when it is complete.

    Args:
        paths: the video, and the ``.mp4`` file to write.
        settings: how.

    Returns:
        The number of frames.

    Raises:
        ValueError: if there is no video in it, or the copy has another number of frames.
        av.FFmpegError: if it cannot be decoded.
    """
    import av

    source, target = paths
    aside = f'{target}.tmp'
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        with av.open(source) as reader, av.open(aside, 'w', format='mp4') as writer:
            if not reader.streams.video:
                raise ValueError('no video stream')
            count = _copy(reader, writer, settings)
        with av.open(aside) as result:
            written = sum(packet.size > 0 for packet in result.demux(video=0))
        if count == 0 or written != count:
            raise ValueError(f'{count} frames read, {written} written')
        os.replace(aside, target)
    finally:
        Path(aside).unlink(missing_ok=True)
    return count


def _copy(reader, writer, settings: ResizeSettings) -> int:
    """Decodes, turns, scales and encodes every frame; gives their number."""
    source, stream, graph, count = reader.streams.video[0], None, None, 0
    for frame in reader.decode(source):
        if graph is None:
            graph = _filters(frame, source, settings)
        graph.vpush(frame)
        small = graph.vpull()
        if stream is None:
            stream = writer.add_stream('libx264', rate=source.average_rate or 25)
            stream.width, stream.height = small.width, small.height
            stream.pix_fmt = 'yuv420p'
            stream.time_base = stream.codec_context.time_base = source.time_base
            stream.codec_context.gop_size = settings.gop
            stream.options = dict(crf=str(settings.crf), preset=settings.preset)
        small.pict_type = 0  # the encoder chooses key frames itself
        writer.mux(stream.encode(small))
        count += 1
    if stream is not None:
        writer.mux(stream.encode())
    return count


def _filters(frame, source, settings: ResizeSettings):
    """Turns as the display rotation says, then scales."""
    from av.filter import Graph

    turns = {90: ['transpose=cclock'], 180: ['hflip', 'vflip'], 270: ['transpose=clock']}
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
    for text in [*turns.get(rotation, []), f'scale={width}:{height}', 'format=yuv420p']:
        name, _, arguments = text.partition('=')
        nodes.append(graph.add(name, arguments) if arguments else graph.add(name))
    nodes.append(graph.add('buffersink'))
    for first, second in zip(nodes, nodes[1:]):
        first.link_to(second)
    graph.configure()
    return graph
