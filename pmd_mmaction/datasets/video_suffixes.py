"""File suffixes of videos."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

VIDEO_SUFFIXES = (
    '.264', '.265', '.3g2', '.3gp', '.amv', '.asf', '.av1', '.avi', '.divx', '.dv', '.f4v', '.flv',
    '.gif', '.gxf', '.h264', '.h265', '.hevc', '.ivf', '.m1v', '.m2t', '.m2ts', '.m2v', '.m4v',
    '.mj2', '.mjpeg', '.mjpg', '.mkv', '.mod', '.mov', '.mp4', '.mpe', '.mpeg', '.mpg', '.mpv',
    '.mts', '.mxf', '.nut', '.obu', '.ogm', '.ogv', '.ogx', '.qt', '.rm', '.rmvb', '.tod', '.trp',
    '.ts', '.vob', '.webm', '.wmv', '.wtv', '.xvid', '.y4m',
)  # fmt: skip


def is_named_as_video(name: str) -> bool:
    """Whether a name has the suffix of a video, in upper or lower case."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def count_suffixes(paths: Iterable[Path]) -> str:
    """Files by their suffix, as in '3 .txt, 1 without suffix'."""
    counts = Counter(path.suffix.lower() or 'without suffix' for path in paths)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ', '.join(f'{count} {suffix}' for suffix, count in ordered)
