"""Data loader workers that die or hang."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

REMEDY = (
    'tools/data/check_videos.py decodes every file in a process of its own. Move away the files '
    "that its report calls 'decoder crash' or 'decoder timeout' and go on with --resume: a missing "
    'video is replaced. Keep the list as it is; the checkpoint belongs to it'
)


@contextmanager
def explained_worker_faults(batches: Iterator, shared_memory: Callable[[], str]) -> Iterator[None]:
    """Ends the run with the remedy if a worker of a data loader is lost.

    The loader's processes are then killed: one that hangs in a decoder ignores every other signal,
    and the Python interpreter would wait for it at exit.

    Not covered: a decoder that hangs while holding the interpreter lock, if finished batches of
    its worker are still queued. Torch waits for these without a limit.

    Args:
        batches: an iterator of torch's ``DataLoader``.
        shared_memory: describes the shared memory that the run needs and has.

    Raises:
        RuntimeError: in place of torch's, with the remedy.
    """
    try:
        yield
    except RuntimeError as error:
        told = str(error).strip()
        if not told.startswith('DataLoader '):  # of the loader itself, not of what it loads
            raise
        memory = shared_memory()  # before the workers release theirs
        _kill(getattr(batches, '_workers', ()))
        raise RuntimeError(f'{told}\n{_cause(told)} {REMEDY}.\n{memory}') from error


def _cause(told: str) -> str:
    if 'timed out' in told:
        return (
            'No batch came from the workers in this time. If the disk or network is only slow, '
            'raise train_cfg.worker_timeout (seconds). If a decoder hangs:'
        )
    return (
        'A worker process was lost: by memory that ran out (the log of the system tells; fewer '
        'num_workers need less), or by a decoder that crashed on a damaged video. In that case:'
    )


def _kill(workers: Sequence) -> None:
    """Kills processes, without torch's handler, which would raise its own error instead of ours."""
    main = threading.current_thread() is threading.main_thread()  # others cannot set a handler
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if main else None
    try:
        for worker in workers:
            worker.kill()
            worker.join()
    finally:
        if main:
            signal.signal(signal.SIGCHLD, handler)
