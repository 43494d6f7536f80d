"""Whether a file is a video that a training can read."""

from __future__ import annotations

from typing import NamedTuple

import av

from pmd_mmaction.datasets.video_stream import VideoError, open_video, refuse_special_file


class VideoReport(NamedTuple):
    """What is known of a file.

    Attributes:
        problem: a few words, or None if it is fine.
        detail: the decoder's message or the numbers behind the problem.
        frames: frames that were decoded, or that the header promises where none was.
    """

    problem: str | None
    detail: str = ''
    frames: int = 0


class _Length(NamedTuple):
    """Length by the header: in frames, or in seconds where it counts no frames; 0 if unknown."""

    frames: int
    seconds: float
    frame_seconds: float


def check_video(
    path: str, min_frames: int = 1, decode: bool = True, tolerance: float = 0.02
) -> VideoReport:
    """Opens a video with PyAV, whose errors name the reason (decord prints and may abort).

    Args:
        path: the file.
        min_frames: a video with fewer frames is too short.
        decode: decode every frame; otherwise only the header is read, if it tells the length.
        tolerance: share by which header and decoded length may differ, at least one frame.

    Returns:
        The report. ``problem`` is one of: missing, no permission, cannot be opened, empty,
        not a video, no video stream, decode error, too short, wrong length.
    """
    report = _check_file(path)
    if report is not None:
        return report
    try:
        with open_video(path) as container:
            if not container.streams.video:
                return VideoReport('no video stream')
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # files run in parallel, not their parts
            promised = _length_by_header(container, stream)
            expected = promised.frames or round(promised.seconds / promised.frame_seconds)
            if not decode and expected:
                return _check_minimum(expected, min_frames) or VideoReport(None, '', expected)
            try:
                frames, end = _decode(container, stream)
            except av.FFmpegError as error:
                return VideoReport('decode error', error.strerror, expected)
    except av.FFmpegError as error:
        return VideoReport('not a video', error.strerror)
    return (
        _check_minimum(frames, min_frames)
        or _check_length(frames, end, promised, tolerance)
        or VideoReport(None, '', frames)
    )


def _check_file(path: str) -> VideoReport | None:
    """What can be told without a decoder."""
    try:
        refuse_special_file(path)
        with open(path, 'rb') as file:
            empty = not file.read(1)
    except FileNotFoundError:
        return VideoReport('missing')
    except PermissionError:
        return VideoReport('no permission')
    except OSError as error:
        return VideoReport('cannot be opened', error.strerror or '')
    except VideoError:
        return VideoReport('cannot be opened', 'a pipe, socket or device')
    return VideoReport('empty') if empty else None


def _length_by_header(container: av.container.InputContainer, stream: av.VideoStream) -> _Length:
    seconds = 0.0
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration:
        seconds = container.duration / av.time_base
    return _Length(stream.frames, seconds, float(1 / (stream.average_rate or 25)))


def _decode(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[int, float]:
    """Number of frames, and the time of the last one in seconds from the first."""
    count, first, last = 0, None, 0.0
    for frame in container.decode(stream):
        count += 1
        if frame.time is not None:
            first = frame.time if first is None else first
            last = max(last, frame.time - first)
    return count, last


def _check_minimum(frames: int, minimum: int) -> VideoReport | None:
    if frames < minimum:
        return VideoReport('too short', f'{frames} of {minimum} frames', frames)
    return None


def _check_length(
    frames: int, last: float, promised: _Length, tolerance: float
) -> VideoReport | None:
    """Counts where the header counts; else time, since the rate of such files may vary."""
    if promised.frames:
        if abs(frames - promised.frames) > max(1, tolerance * promised.frames):
            detail = f'{frames} frames, header says {promised.frames}'
            return VideoReport('wrong length', detail, frames)
    elif promised.seconds:
        end = last + promised.frame_seconds
        slack = max(promised.frame_seconds, tolerance * promised.seconds)
        if abs(end - promised.seconds) > slack:
            detail = f'{end:.2f} s, header says {promised.seconds:.2f} s'
            return VideoReport('wrong length', detail, frames)
    return None
