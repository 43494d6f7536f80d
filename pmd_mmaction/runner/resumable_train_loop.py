"""A training loop that can resume inside an epoch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from mmengine.dist import get_rank, get_world_size
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader, Sampler

from pmd_mmaction.arguments import Count, NonNegative, Whole, checked
from pmd_mmaction.contracts import Curriculum, SharedMemoryUser, find_hook
from pmd_mmaction.runner.few_videos import few_videos
from pmd_mmaction.runner.shared_memory import SharedMemory, bytes_of, describe_free_space
from pmd_mmaction.runner.worker_faults import explained_worker_faults


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """An epoch-based loop that resumes inside an epoch, skipping the batches already done.

    Their indices are drawn and dropped; their files are not opened. The position follows from
    epoch, iteration and epoch length. If a worker dies or hangs in a decoder, the run ends with an
    error that says what to do.

    Length and schedulers of the run follow from its phases (``ProgressivePhaseHook``), before the
    Runner builds what depends on them.

    Args:
        runner: the Runner.
        dataloader: the training data loader, or its config.
        max_epochs: number of epochs; None: those of the phases.
        val_begin: first epoch (from 1) after which to validate.
        val_interval: epochs between validations.
        dynamic_intervals: pairs of an epoch and the interval from there on.
        worker_timeout: seconds to wait for a batch from the workers; 0 waits forever. A
            ``timeout`` of the data loader itself takes precedence.

    Raises:
        ValueError: for an invalid number of epochs, or none, schedulers given twice, a
            negative ``worker_timeout``, or fewer videos than a batch.
    """

    resumes_mid_epoch = True

    @checked
    def __init__(
        self,
        runner,
        dataloader: DataLoader | dict,
        max_epochs: Whole | None = None,
        val_begin: Count = 1,
        val_interval: Whole = 1,
        dynamic_intervals: list[tuple[int, int]] | None = None,
        worker_timeout: NonNegative = 600,
    ) -> None:
        pairs = dynamic_intervals or ()
        if not isinstance(pairs, (list, tuple)) or any(len(pair) != 2 for pair in pairs):
            raise ValueError(
                f'ResumableTrainLoop: dynamic_intervals is {pairs!r}; it must be a list of pairs '
                '(epoch, interval)'
            )
        self.curriculum = find_hook(runner, Curriculum)
        max_epochs = _take_plan(runner, self.curriculum, max_epochs)
        self._seed = _common_seed(runner)  # of the sampler, until a checkpoint brings another
        if isinstance(dataloader, dict) and isinstance(dataloader.get('sampler'), dict):
            # with diff_rank_seed MMEngine would draw one, which no checkpoint knows
            dataloader = {**dataloader, 'sampler': dict(seed=self._seed) | dataloader['sampler']}
        super().__init__(runner, dataloader, max_epochs, val_begin, val_interval, dynamic_intervals)
        self._require_a_batch()
        if self.dataloader.num_workers > 0 and not self.dataloader.timeout:
            self.dataloader.timeout = worker_timeout

    def run(self) -> nn.Module:
        """Trains to the end."""
        loader = self.dataloader
        for sampler in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None)):
            if getattr(sampler, 'seed', None) == self._seed:
                # the checkpoint restored the run's, and MMEngine not the sampler's
                sampler.seed = _common_seed(self.runner)
        return super().run()

    def _require_a_batch(self) -> None:
        """Refuses epochs without an iteration, on which schedulers would fail."""
        loader = self.dataloader
        if len(loader) == 0:
            sampler = loader.batch_sampler
            steps = getattr(sampler, 'accumulative_counts', 1)
            size = len(loader.dataset), sampler.batch_size, get_world_size(), steps
            found, remedy = few_videos(*size)
            raise ValueError(f'{found}: {remedy}')

    def run_epoch(self) -> None:
        """Runs an epoch, or the rest of it."""
        done = self.iter - self.epoch * len(self.dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        with without_first_batches(self.dataloader, done) as loader:
            batches, data_batch = iter(loader), None
            with explained_worker_faults(batches, lambda: self._shared_memory(data_batch)):
                for batch_idx, data_batch in enumerate(batches, start=done):
                    self.run_iter(batch_idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _shared_memory(self, data_batch: object) -> str:
        """Shared memory that this node needs, judging by the last batch, and what it has."""
        loader = self.dataloader
        hooks = (hook for hook in self.runner.hooks if isinstance(hook, SharedMemoryUser))
        need = SharedMemory(
            None if data_batch is None else bytes_of(data_batch),
            loader.prefetch_factor or 0,
            loader.num_workers,
            _ranks_of_node(),
            sum(hook.shared_bytes for hook in hooks),
        )
        return (
            f'Workers hand over batches in shared memory, which may have run full: {need}; '
            f'{describe_free_space()}. In that case {need.remedy}; '
            '`python -m pmd_mmaction doctor CONFIG` adds it up'
        )


def _take_plan(runner, curriculum: Curriculum | None, max_epochs: int | None) -> int:
    """Hands the Runner the schedulers of the phases; returns the length of the run."""
    schedulers = curriculum and curriculum.scheduler_configs()
    if schedulers is not None:
        if runner.param_schedulers is not None:
            raise ValueError(
                'ProgressivePhaseHook makes the schedulers (schedule=...), but the config has '
                'param_scheduler too: set param_scheduler=None, or schedule=None in the hook'
            )
        runner.param_schedulers = schedulers
    if max_epochs is None and curriculum is None:
        raise ValueError(
            'the length of the run is not set: set train_cfg.max_epochs, or add a '
            'ProgressivePhaseHook, whose phases have a length'
        )
    return max_epochs or curriculum.phases.total_epochs


def _common_seed(runner) -> int:
    """The seed that all ranks share; with ``diff_rank_seed`` each adds its rank to it."""
    return runner.seed - get_rank() * bool(runner._randomness_cfg.get('diff_rank_seed'))


def _ranks_of_node() -> int:
    """Ranks per node as set by torchrun or Slurm; without them, all ranks."""
    told = (os.environ.get(name, '') for name in ('LOCAL_WORLD_SIZE', 'SLURM_NTASKS_PER_NODE'))
    return next((int(number) for number in told if number.isdecimal()), get_world_size())


@contextmanager
def without_first_batches(loader: DataLoader, count: int) -> Iterator[DataLoader]:
    """The loader without its first batches, which are not decoded.

    Args:
        loader: a loader with torch's ``BatchSampler``.
        count: batches to leave out.

    Raises:
        TypeError: if the loader's batches come from something else and some are to be left out.
    """
    batches = loader.batch_sampler
    if count == 0:
        yield loader
        return
    if not (hasattr(batches, 'sampler') and hasattr(batches, 'batch_size')):
        raise TypeError(
            f'cannot go on inside an epoch with a {type(batches).__name__}, which has no sampler '
            'and batch_size: resume from a checkpoint at the end of an epoch'
        )
    whole = batches.sampler
    size = batches.batch_size
    batches.sampler = _Tail(whole, count * size, len(loader) * size)
    try:
        yield loader
    finally:
        batches.sampler = whole


class _Tail(Sampler):
    """A sampler without its first samples, and without those of incomplete batches."""

    def __init__(self, whole: Sampler, skipped: int, end: int) -> None:
        self.whole = whole
        self.skipped = skipped
        self.end = end

    def __iter__(self) -> Iterator[int]:
        return islice(self.whole, self.skipped, self.end)

    def __len__(self) -> int:
        # the full length: an epoch does not get shorter when part of it is done
        return len(self.whole)
