"""Smaller copies of many videos; what an interrupted call has made is kept."""

import shutil
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from pmd_mmaction.curation.process_per_file import Outcome, map_isolated
from pmd_mmaction.curation.video_resize import ResizeSettings, resize_video

FULL = 'No space left on device', 'Disk quota exceeded'  # the text of an error has the path too


class DiskFullError(OSError):
    """No further copy can be written; the message names the disk."""


def make_missing_copies(
    pairs: Collection[tuple[str, str]], settings: ResizeSettings, jobs: int, timeout: float
) -> Iterator[Outcome]:
    """Makes the copies that are not there or older than their videos, under a progress bar.

    Args:
        pairs: video and copy of each; a copy that is there is taken for complete.
        settings: of the copies.
        jobs: processes.
        timeout: seconds for a copy.

    Yields:
        The outcome of each missing copy, whose value is its number of frames.

    Raises:
        DiskFullError: if one could not be written for want of space.
    """
    rest = [pair for pair in pairs if not _is_there(*map(Path, pair))]
    outcomes = map_isolated(partial(resize_video, settings=settings), rest, jobs, timeout)
    done = len(pairs) - len(rest)
    for outcome in tqdm(outcomes, total=len(pairs), initial=done, unit='video', desc='copies'):
        if outcome.error is not None:
            # a process that was killed could not clean up
            Path(f'{outcome.item[1]}.tmp').unlink(missing_ok=True)
            if any(word in outcome.error for word in FULL):
                folder = Path(outcome.item[1]).parent
                free = shutil.disk_usage(folder).free / 1e9
                raise DiskFullError(
                    f'the disk of {folder} is full ({free:.2f} GB free): make room there, and the '
                    'same command goes on'
                )
        yield outcome


def _is_there(video: Path, copy: Path) -> bool:
    """Whether there is a copy, made after the last change of the video."""
    try:
        made = copy.stat().st_mtime
        return not video.is_file() or video.stat().st_mtime <= made
    except OSError:
        return False
