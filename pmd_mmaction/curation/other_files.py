"""Files in a folder of videos that are not named as videos."""

from __future__ import annotations

import mimetypes
from pathlib import Path

import av

from pmd_mmaction.curation.process_per_file import map_isolated
from pmd_mmaction.datasets.video_suffixes import count_suffixes
from pmd_mmaction.readers.video_stream import VideoError, best_stream, open_video

_NO_VIDEOS = ('application/', 'audio/', 'font/', 'image/', 'text/')


def describe_other_files(others: list[Path], jobs: int, timeout: float) -> tuple[str, bool]:
    """Reports which files were skipped, and whether videos are among them.

    Files whose suffix tells of text, pictures, sound and the like are only counted; others are
    opened.

    Args:
        others: the other files found by :func:`scan_folder`.
        jobs: number of processes.
        timeout: seconds per file.

    Returns:
        The text, empty without such files, and whether one of them holds a video.
    """
    unclear = [path for path in others if not _is_something_else(path)]
    found = map_isolated(holds_video, map(str, unclear), jobs, timeout)
    videos = sorted(outcome.item for outcome in found if outcome.value)
    text = f'not looked at: {count_suffixes(others)}' if others else ''
    if videos:
        text += (
            f'; {len(videos)} of these hold videos, such as {videos[0]}: give them the suffix of '
            'a video'
        )
    return text, bool(videos)


def _is_something_else(path: Path) -> bool:
    kind = mimetypes.guess_type(path.name)[0] or ''
    return kind.startswith(_NO_VIDEOS) and kind != 'application/octet-stream'


def holds_video(path: str) -> bool:
    """Whether a file of any name can be opened as a video."""
    try:
        if not Path(path).is_file():
            return False
        with open_video(path) as container:
            best_stream(container)
            return not container.format.name.endswith(('_pipe', 'image2', 'tty'))
    except (av.FFmpegError, VideoError, OSError):
        return False
