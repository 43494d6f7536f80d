"""Remedy for a full disk."""

from collections.abc import Iterator
from contextlib import contextmanager

from pmd_mmaction.storage.atomic_file import NO_SPACE

REMEDY = (
    'Earlier checkpoints are intact: make space (or lower max_keep_ckpts) and go on with --resume'
)


@contextmanager
def remedy_if_disk_full() -> Iterator[None]:
    """Adds the remedy to a full-disk error. Blocks may be nested.

    Raises:
        OSError: the error of the block, with the same errno.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE or REMEDY in str(error):
            raise
        raise OSError(error.errno, f'{error.strerror}. {REMEDY}') from error
