"""What to do when there is no space for a file of the run."""

from collections.abc import Iterator
from contextlib import contextmanager

from pmd_mmaction.storage.atomic_file import NO_SPACE

REMEDY = (
    'Earlier checkpoints are intact: make space (or lower max_keep_ckpts) and go on with --resume'
)


@contextmanager
def remedy_if_disk_full() -> Iterator[None]:
    """Adds the remedy to an error that says that there is no space. Blocks may be nested.

    Raises:
        OSError: the error of the block, of the same number.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE or REMEDY in str(error):
            raise
        raise OSError(error.errno, f'{error.strerror}. {REMEDY}') from error
