"""Checks whether training can read a video file."""

from __future__ import annotations

from typing import NamedTuple

import av

from pmd_mmaction.datasets.read_error import is_passing
from pmd_mmaction.readers.video_stream import VideoError, refuse_special_file
from pmd_mmaction.readers.watched_decoding import WatchedDecoding
from pmd_mmaction.transforms.video_transforms import READERS


class VideoReport(NamedTuple):
    """The result of a check.

    Attributes:
        problem: a few words, or None if training can read the file.
        detail: the decoder's message or the numbers behind the problem; without a problem, what
            is wrong in the header, or nothing.
        frames: number of decoded frames, or the reader's count if not all were decoded.
    """

    problem: str | None
    detail: str = ''
    frames: int = 0


def check_video(
    path: str,
    min_frames: int = 1,
    decode: bool = True,
    tolerance: float = 0.02,
    reader: str = 'pyav',
) -> VideoReport:
    """Opens a video as training does, and decodes it.

    Args:
        path: the file.
        min_frames: a video with fewer frames is too short.
        decode: decode every frame, and read some with the reader; otherwise it is only opened.
        tolerance: fraction of the length in the header that may be missing, at least two frames.
        reader: reader used in training, ``'pyav'`` or ``'decord'``, as in ``VideoInit``.

    Returns:
        The report. ``problem`` is one of: missing, no permission, cannot be opened, cannot be
        read now, empty, not a video, no video stream, decode error, too short, wrong length.
    """
    report = _check_file(path)
    if report is not None:
        return report
    try:
        with WatchedDecoding(path, tolerance) as decoding:
            sample: list[int] = []
            if decode:
                try:
                    sample = _decode(decoding)
                except av.FFmpegError as error:
                    return _failed(path, error, 'decode error', decoding.count)
                if decoding.damage:
                    return VideoReport(*decoding.damage, decoding.count)
    except VideoError as error:
        return VideoReport(str(error))
    except av.FFmpegError as error:
        return _failed(path, error, 'not a video')
    report = _read(path, reader, sample, decoding.count if decode else None)
    if report.problem is None and report.frames < min_frames:
        return VideoReport('too short', f'{report.frames} of {min_frames} frames', report.frames)
    return report if report.problem else report._replace(detail=decoding.note)


def _failed(path: str, error: av.FFmpegError, problem: str, frames: int = 0) -> VideoReport:
    """The report of an error of FFmpeg."""
    problem = 'cannot be read now' if is_passing(error, path) else problem
    return VideoReport(problem, error.strerror, frames)


def _check_file(path: str) -> VideoReport | None:
    """Checks that need no decoder."""
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


def _decode(decoding: WatchedDecoding) -> list[int]:
    """Decodes all frames; returns frames to read: one near a key frame, and some far apart."""
    key = 0
    for frame in decoding:
        if frame.key_frame:
            key = decoding.count - 1
    return [min(key + 3, decoding.count - 1)]


def _read(path: str, reader: str, sample: list[int], count: int | None) -> VideoReport:
    """Checks the reader used in training on a file whose frames were counted."""
    try:
        with READERS[reader](path) as video:
            frames = len(video)
            if count is not None and frames != count:
                detail = f'{reader} counts {frames} frames, {count} can be decoded'
                return VideoReport('decode error', detail, count)
            video.read(sample)
    except VideoError as error:
        return VideoReport('decode error', str(error).removeprefix(f'{path}: '), count or 0)
    return VideoReport(None, '', frames)
