"""Back to the last checkpoint, on with another data order."""

import json
import warnings
from pathlib import Path

from mmengine.dist import is_main_process
from torch.utils.data import DataLoader

from pmd_mmaction.functional import derive_seed
from pmd_mmaction.hooks.checkpoints.checkpoint_files import newest_complete
from pmd_mmaction.hooks.main_process import from_main_process
from pmd_mmaction.storage.atomic_file import write_file


class RollbackRequested(RuntimeError):
    """The run is to go on from a checkpoint; ``tools/train.py`` does so.

    Attributes:
        checkpoint: the checkpoint's path, the same on all ranks.
    """

    def __init__(self, message: str, checkpoint: str) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


class RollbackLog:
    """The rollbacks of a run, in ``<work_dir>/nonfinite/rollbacks.json``.

    Their number decides the order of the data, so a resumed run keeps it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict]:
        """All rollbacks, read by the main process for all ranks."""
        return from_main_process(self._read)

    def _read(self) -> list[dict]:
        return json.loads(self.path.read_text(encoding='utf-8')) if self.path.is_file() else []

    def clear(self) -> None:
        """Forgets those of an earlier run in the same folder (main process)."""
        if is_main_process():
            self.path.unlink(missing_ok=True)

    def add(self, **entry) -> None:
        """Notes a rollback (main process)."""
        if is_main_process():
            write_file(self.path, json.dumps([*self._read(), entry], indent=2).encode())


def reorder(loader: DataLoader, rollbacks: int) -> None:
    """Gives the sampler the seed that belongs to this number of rollbacks.

    Args:
        loader: the training loader; changed.
        rollbacks: how many there were; 0 changes nothing.

    Raises:
        ValueError: for a sampler without a seed.
    """
    if not rollbacks:
        return
    sampler = loader.sampler if hasattr(loader.sampler, 'seed') else loader.batch_sampler.sampler
    if not hasattr(sampler, 'seed'):
        raise ValueError(
            f"on_nonfinite='rollback' needs a sampler with a seed, not {type(sampler).__name__}: "
            "use dict(type='DefaultSampler', shuffle=True), or on_nonfinite='stop'"
        )
    sampler.seed = derive_seed(sampler.seed, rollbacks)


def agreed_checkpoint(work_dir: Path) -> str | None:
    """The newest complete checkpoint of a run, as the main process sees it; None if none is."""
    return from_main_process(lambda: _newest(work_dir))


def _newest(work_dir: Path) -> str | None:
    try:
        found = newest_complete(work_dir, warnings.warn)
    except (OSError, ValueError) as error:
        # damaged all, or a disk that fails: the other ranks must hear of it, not wait
        warnings.warn(str(error), stacklevel=2)
        return None
    return found and str(found)
