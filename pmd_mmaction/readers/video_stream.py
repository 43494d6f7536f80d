"""The best stream of a video, decoded in order, and its orientation.

This is the simple and slow way to get every frame; all other readers have to agree with it.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import av
import numpy as np
from av.stream import Disposition

# From 17 on PyAV converts colours with a thread per core, started anew for each video.
ONE_THREAD = {'threads': 1} if int(av.__version__.split('.')[0]) >= 17 else {}
# Attached images, such as covers, which are not the video.
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails


class VideoError(RuntimeError):
    """A file is not a readable video; the message names the file and the reason."""


class Orientation(NamedTuple):
    """How to turn a stored frame upright: transpose first, then mirror.

    Attributes:
        transpose: swap rows and columns.
        mirror: swap left and right.
        flip: swap top and bottom.
    """

    transpose: bool = False
    mirror: bool = False
    flip: bool = False


def refuse_special_file(path: str) -> None:
    """Refuses a pipe, socket or device, which a decoder might wait for forever.

    Raises:
        VideoError: with the kind of file. A missing file is left to the decoder.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise VideoError(f'{path}: a pipe, socket or device, not a file')


@contextmanager
def named_errors(path: str) -> Iterator[None]:
    """Prefixes a :class:`VideoError` and the decoder's errors with the name of the file."""
    try:
        yield
    except av.FFmpegError as error:
        raise VideoError(f'{path}: {error.strerror or error}') from error
    except VideoError as error:
        raise VideoError(f'{path}: {error}') from error


def open_video(path: str, content: bytes | None = None) -> av.container.InputContainer:
    """Opens a file with PyAV, whatever its name and its tags look like.

    Args:
        path: the file.
        content: its bytes, if they do not come from ``path``.

    Raises:
        av.FFmpegError: if FFmpeg cannot read it.
    """
    # absolute: FFmpeg treats a relative name with a colon as a URL
    source = os.path.abspath(path) if content is None else io.BytesIO(content)
    return av.open(source, metadata_errors='replace')


def best_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The stream that a player shows, which is never a cover or thumbnail.

    Its decoder runs in the calling thread: one worker per core decodes faster than one decoder
    with several threads, and has no threads to lose in a fork.

    Raises:
        VideoError: if there is none, or no decoder for it; without the name of the file.
    """
    stream = container.streams.best('video')
    if stream is not None and stream.disposition & _STILLS:
        others = [s for s in container.streams.video if not s.disposition & _STILLS]
        stream = others[0] if others else None
    if stream is None:
        raise VideoError('no video stream')
    if stream.codec_context is None:
        raise VideoError('no decoder for its video stream')
    stream.codec_context.thread_type = 'NONE'
    stream.codec_context.thread_count = 1
    return stream


def decode_in_order(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Every frame that a player shows, from the first to the last.

    Hidden packets and frames removed by an edit list are left out, as with ``ffmpeg -fps_mode
    passthrough``. A stream that was cut in the middle begins at its first key frame.

    Args:
        container: a container that was just opened.
        stream: result of :func:`best_stream`.

    Raises:
        av.FFmpegError: at a packet that cannot be decoded.
    """
    joined = False
    for packet in container.demux(stream):
        joined = joined or packet.is_keyframe
        # An empty packet (in AVI: frame unchanged) would end the decoding.
        if packet.size:
            try:
                frames = stream.decode(packet)
            except av.InvalidDataError:
                if joined:
                    raise
                continue
            yield from frames
    yield from stream.decode(None)


def orientation(frame: av.VideoFrame) -> Orientation:
    """Reads the display matrix of a frame, as ffmpeg's autorotate does.

    Its upper left 2 x 2 part (a b; c d) sends a stored point (x, y) to the shown one
    (a x + c y, b x + d y). Angles between the quarter turns count as the nearest.
    """
    matrix = frame.side_data.get('DISPLAYMATRIX')
    if matrix is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32, 5).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def upright(image: np.ndarray, turn: Orientation) -> np.ndarray:
    """Turns a stored frame ``(H, W, ...)`` upright."""
    if not any(turn):
        return image
    image = image.swapaxes(0, 1) if turn.transpose else image
    image = image[:, ::-1] if turn.mirror else image
    return np.ascontiguousarray(image[::-1] if turn.flip else image)
