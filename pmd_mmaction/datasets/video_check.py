"""Whether a file is a video that a training can read."""

from __future__ import annotations

import os
from typing import NamedTuple


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


def check_video(
    path: str, min_frames: int = 1, decode: bool = True, tolerance: float = 0.02
) -> VideoReport:
    """Opens a video with PyAV, whose errors name the reason (decord prints and may abort).

    Args:
        path: the file.
        min_frames: a video with fewer frames is too short.
        decode: decode every frame; otherwise only the header is read.
        tolerance: share by which header and decoded frames may differ, at least one frame.

    Returns:
        The report.
    """
    import av

    problem = _problem_of_file(path)
    if problem:
        return VideoReport(problem)
    try:
        with av.open(path) as container:
            if not container.streams.video:
                return VideoReport('no video stream')
            stream = container.streams.video[0]
            promised = _promised_frames(stream, container)
            try:
                found = sum(1 for _ in container.decode(stream)) if decode else promised
            except av.FFmpegError as error:
                return VideoReport('decode error', str(error), promised)
    except av.FFmpegError as error:
        return VideoReport('not a video', str(error))
    if found < min_frames:
        return VideoReport('too short', f'{found} of {min_frames} frames', found)
    if promised and abs(found - promised) > max(1, tolerance * promised):
        return VideoReport('wrong length', f'{found} frames, header says {promised}', found)
    return VideoReport(None, '', found)


def _problem_of_file(path: str) -> str | None:
    if not os.path.isfile(path):
        return 'missing'
    if not os.access(path, os.R_OK):
        return 'no permission'
    return None if os.path.getsize(path) else 'empty'


def _promised_frames(stream, container) -> int:
    """Frames by the header; 0 if it does not tell."""
    if stream.frames:
        return stream.frames
    if not container.duration or not stream.average_rate:
        return 0
    return round(container.duration / 1_000_000 * stream.average_rate)  # duration in us
