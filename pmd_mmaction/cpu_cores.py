"""The CPU cores of this process."""

import os


def count_cores() -> int:
    """CPU cores that this process may use: what ``os.process_cpu_count`` is from Python 3.13 on."""
    if hasattr(os, 'sched_getaffinity'):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
