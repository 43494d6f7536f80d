"""Options of data loaders that torch refuses where there are no workers."""

from __future__ import annotations

import functools
from typing import Any

from mmengine.runner import FlexibleRunner, Runner
from torch.utils.data import DataLoader

from pmd_mmaction.compat.repair import Repair

# These have no meaning without workers, but torch raises an error, for some of them only at the
# first batch.
OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'timeout', 'multiprocessing_context')


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


REPAIRS = (
    Repair(
        'loader-without-workers',
        'num_workers=0 is refused beside options of workers, such as persistent_workers',
        options_of_workers_are_refused,
        leave_out_options_of_workers,
    ),
)
