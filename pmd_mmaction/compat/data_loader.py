"""Data loaders: options that torch refuses without workers, and open files that run out."""

from __future__ import annotations

import functools
import importlib.util
import math
from typing import Any

from mmengine.runner import FlexibleRunner, Runner
from torch.utils.data import DataLoader

from pmd_mmaction.compat.repair import Repair

# These have no meaning without workers, but torch raises an error, for some of them only at the
# first batch.
OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'timeout', 'multiprocessing_context')
# A batch of 64 from MMAction2 takes 65: each tensor that a worker sends, one for every label, is an
# open file in shared memory, and a rank holds up to workers x prefetch_factor batches.
OPEN_FILES = 8192


def options_of_workers_are_refused() -> bool:
    """Whether ``num_workers=0`` needs more than this one setting to be changed."""
    try:
        DataLoader([0], num_workers=0, persistent_workers=True)
    except ValueError:
        return True
    return False


def leave_out_options_of_workers() -> None:
    """Makes both Runners ignore options of workers when a loader has none."""
    for kind in (Runner, FlexibleRunner):
        kind.build_dataloader = staticmethod(_without_them(kind.build_dataloader))


def _without_them(build: Any) -> Any:
    @functools.wraps(build)
    def build_dataloader(dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> DataLoader:
        if isinstance(dataloader, dict) and not dataloader.get('num_workers'):
            dataloader = {k: v for k, v in dataloader.items() if k not in OF_WORKERS}
        return build(dataloader, *args, **kwargs)

    return build_dataloader


def open_files_are_few() -> bool:
    """Whether a process may open fewer files than it could ask for; 1024 is usual."""
    if importlib.util.find_spec('resource') is None:  # Windows
        return False
    soft, wanted = _open_files()
    return soft < wanted


def raise_open_files() -> None:
    """Asks for as many as allowed, up to `OPEN_FILES`, as OpenMMLab's tools did before MMEngine."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_open_files()[1], hard))


def _open_files() -> tuple[float, int]:
    """The limit of this process, and what it should be."""
    import resource

    soft, hard = (
        math.inf if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, min(hard, OPEN_FILES)


REPAIRS = (
    Repair(
        'loader-without-workers',
        'num_workers=0 is refused beside options of workers, such as persistent_workers',
        options_of_workers_are_refused,
        leave_out_options_of_workers,
    ),
    Repair(
        'open-files',
        'each label of a batch that a worker sends is an open file, of which few are allowed',
        open_files_are_few,
        raise_open_files,
    ),
)
