"""Difficulty-Aware Region Enhancement: creates, updates and saves the difficulty table."""

from pathlib import Path
from typing import Annotated, Callable, Sequence

import numpy as np
import torch
from mmengine.dist import barrier
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS
from torch import Tensor

from pmd_mmaction.arguments import Text, Whole, checked, one_of
from pmd_mmaction.contracts import Curriculum, DifficultyModel, find_hook
from pmd_mmaction.dare import (
    DTYPES,
    DifficultyTable,
    check_precision,
    pack_rows,
    table_file,
)
from pmd_mmaction.dare.scratch_file import SHARED_MEMORY
from pmd_mmaction.functional import spread_crop, stage_of
from pmd_mmaction.hooks.difficulty.data_fingerprint import data_fingerprint
from pmd_mmaction.hooks.difficulty.shared_table import TableShare, create_shared_table
from pmd_mmaction.hooks.difficulty.table_names import find_table, prune_tables, table_name
from pmd_mmaction.hooks.unwrapped_model import plain_model
from pmd_mmaction.transfer import send

REGIONS = ('patch_index', 'canonical')


class DifficultyReader:
    """Read access for the recognizer: the table, and whether weights are uniform now.

    Args:
        table: the table.
        by_place: whether its rows cover the whole frame.
    """

    def __deepcopy__(self, memo: dict) -> 'DifficultyReader':
        return self  # there is one table; a copied model reads the same

    def __init__(self, table: DifficultyTable, by_place: bool = False) -> None:
        self.table = table
        self.by_place = by_place
        self.uniform = True

    def read(self, sample_idx: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """See ``DifficultySource.read``: two ``(B, K, N)`` tensors, or None for the second."""
        last, stage = self.table.read(sample_idx)
        return last, None if self.uniform else stage


@HOOKS.register_module()
class DAREHook(Hook):
    """Keeps the smoothed loss of every patch of every video, for the weights of the next stage.

    After each iteration the new smoothed losses of all ranks go into a table, one per node,
    before the next iteration reads it. At the end of a stage its values become the basis of the
    next stage's weights; at the end of a phase it is reset to zero. The table is saved next to
    each checkpoint, which records its name and digest.

    Args:
        stage_epochs: epochs per stage; a phase's last stage may be shorter.
        reset_per_phase: start each phase with an empty table and uniform weights.
        dtype: ``'float16'`` or ``'float32'``.
        region: what identifies a patch. ``'patch_index'``: its number in the clip, whatever crop of
            the video that is. ``'canonical'``: its place in the frame; rows cover the whole
            frame and are read and written through each clip's ``crop_box`` (:class:`NoteCropBox`).
        scratch_dir: node-local directory for the shared table; None chooses one.

    Raises:
        ValueError: for ``stage_epochs`` below 1 or an unknown option.
    """

    priority = 'NORMAL'  # before the checkpoint (VERY_LOW)

    @checked
    def __init__(
        self,
        stage_epochs: Whole = 32,
        reset_per_phase: bool = True,
        dtype: Annotated[str, one_of(DTYPES)] = 'float16',
        region: Annotated[str, one_of(REGIONS)] = 'patch_index',
        scratch_dir: Text | None = None,
    ) -> None:
        self.stage_epochs = stage_epochs
        self.reset_per_phase = reset_per_phase
        self.dtype = dtype
        self.region = region
        self.scratch_dir = scratch_dir
        self._share: TableShare | None = None
        self._record: dict | None = None
        self._saved: tuple[Path, str] | None = None  # file and digest of the last table

    @property
    def by_place(self) -> bool:
        """Whether a row covers the whole frame."""
        return self.region == 'canonical'

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory that the table takes on this node."""
        if self._share is None or self._share.directory != Path(SHARED_MEMORY):
            return 0
        return self._share.table.nbytes

    def complete_table(self) -> DifficultyTable | None:
        """The table after storing all values of the past iterations; None without DARE.

        Raises:
            ValueError: if one of them is not finite.
        """
        if self._share is None:
            return None
        self._share.complete()
        return self._share.table

    # ------------------------------------------------------------------ start

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Remembers which table belongs to the checkpoint."""
        self._record = checkpoint.get('dare')

    def before_train(self, runner) -> None:
        """Creates the table, or loads that of the checkpoint, and attaches it to the model."""
        self._saved = None  # a file of an earlier training holds another table
        model = plain_model(runner)
        spec = model.difficulty_spec if isinstance(model, DifficultyModel) else None
        if spec is None:
            runner.logger.info('DARE is off in the model: DAREHook does nothing')
            return
        check_precision(self.dtype, spec.alpha)
        dataset = runner.train_dataloader.dataset
        curriculum = find_hook(runner, Curriculum)
        if curriculum is None:
            raise ValueError('DAREHook needs a ProgressivePhaseHook: stages are parts of phases')
        self._schedule, self._grid = curriculum.phases, spec.token_grid
        self._fingerprint = data_fingerprint(dataset)
        self._share = create_shared_table(
            len(dataset), spec.num_teachers, spec.num_patches, self.dtype, self.scratch_dir
        )
        table = self._share.table
        if runner.iter > 0:
            self._load(runner)
        self._reader = DifficultyReader(table, self.by_place)
        plain_model(runner).attach_difficulty(self._reader)
        runner.logger.info(
            f'Difficulty table: {len(dataset)} videos x {spec.num_teachers} '
            f'teacher(s) x {spec.num_patches} patches, {self.dtype}, '
            f'{table.nbytes / 2**20:.1f} MiB per node'
        )

    def _load(self, runner) -> None:
        if self._record is None:
            raise ValueError(
                'the checkpoint to resume from has no difficulty table, so it was not trained with '
                'DARE: leave it out of the model, or start afresh from its weights with load_from '
                'and resume=False'
            )
        if self._share.owner:
            # next to the checkpoint, in this run's directory, or where it was first written
            noted = runner.message_hub.runtime_info.get('last_ckpt')
            beside, written = ([Path(p).parent] if p else [] for p in (runner._load_from, noted))
            path = find_table(self._record['file'], [*beside, Path(runner.work_dir), *written])
            kept = table_file.inspect(path).counters.get('region', REGIONS[0])
            if kept != self.region:
                raise ValueError(
                    f'{path} was kept with region={kept!r}, this run has {self.region!r}: resume '
                    f'with DAREHook(region={kept!r}), or start afresh from the weights alone with '
                    'load_from and resume=False'
                )
            table_file.load(self._share.table, path, self._record['digest'], self._fingerprint)
            runner.logger.info(f'Difficulty table loaded from {path}')
        barrier()

    def read(self, sample_idx: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """The history of these videos, as the recognizer reads it."""
        self._share.bring_up(sample_idx)
        return self._reader.read(sample_idx)

    # ------------------------------------------------------------------ training

    def before_train_epoch(self, runner) -> None:
        """Decides whether this epoch's weights are uniform."""
        if self._share is None:
            return
        phase = self._schedule.at(runner.epoch)
        first_stage = stage_of(runner.epoch, phase, self.stage_epochs) == 0
        self._reader.uniform = first_stage and (self.reset_per_phase or phase.index == 0)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Updates the rows that the recognizer is about to read."""
        if self._share is not None:
            samples = data_batch['data_samples']
            # The recognizer refuses a sample without an index.
            self._share.bring_up([sample.get('sample_idx', -1) for sample in samples])

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Starts the transfer of all ranks' smoothed losses into the table."""
        if self._share is None:
            return
        losses = plain_model(runner).pop_patch_losses()
        if losses is None:  # NonFiniteHook took them, on every rank
            return
        rows = pack_rows(losses.masked_index, losses.smoothed, self._share.table.layout)
        if self.by_place:
            boxes = np.concatenate([sample.crop_box for sample in data_batch['data_samples']])
            rows = self._over_frame(rows, losses.sample_idx, torch.from_numpy(boxes))
        self._share.write(losses.sample_idx, rows)

    def _over_frame(self, rows: Tensor, sample_idx: Sequence[int], boxes: Tensor) -> Tensor:
        """Rows of clips as rows of the frame; no rank changes those of the table meanwhile."""
        last = send(self._share.table.read(sample_idx)[0], rows.device)
        boxes = boxes.repeat_interleave(len(rows) // len(boxes), 0)  # masks of a clip
        return spread_crop(rows, last, send(boxes, rows.device), self._grid)

    def after_train_epoch(self, runner) -> None:
        """Ends the stage or resets the table if the next epoch begins a stage or a phase."""
        if self._share is None:
            return
        self._share.bring_up()  # all ranks learn of a bad value before one of them saves
        following = runner.epoch + 1
        if following >= self._schedule.total_epochs:
            return
        phase = self._schedule.at(following)
        if following == phase.begin and self.reset_per_phase:
            self._once(DifficultyTable.reset)
        elif (following - phase.begin) % self.stage_epochs == 0:  # also where a phase begins
            self._once(DifficultyTable.end_stage)

    def _once(self, change: Callable[[DifficultyTable], None]) -> None:
        """Changes the whole table once per node, while no rank reads or writes."""
        table = self.complete_table()  # no transfer is pending any more
        barrier()
        if self._share.owner:
            change(table)
        barrier()

    # ------------------------------------------------------------------ checkpoints

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Saves the table and records it in the checkpoint (called by the main process)."""
        if self._share is None:
            return
        meta, directory = checkpoint['meta'], _checkpoint_dir(runner)
        directory.mkdir(parents=True, exist_ok=True)  # at the first checkpoint
        name = table_name(meta['epoch'], meta['iter'])
        prune_tables(directory, keep=name)
        path = directory / name
        # MMEngine saves up to three times at the end of an epoch: last, best, and last again
        if self._saved is None or self._saved[0] != path or not path.exists():
            counters = dict(epoch=meta['epoch'], iter=meta['iter'], region=self.region)
            table = self.complete_table()
            self._saved = path, table_file.save(table, path, self._fingerprint, counters)
        checkpoint['dare'] = dict(file=name, digest=self._saved[1])


def _checkpoint_dir(runner) -> Path:
    """The directory that CheckpointHook writes to.

    Raises:
        ValueError: if it is on no disk.
    """
    hook = find_hook(runner, CheckpointHook)
    place = (hook and hook.out_dir) or runner.work_dir
    if '://' in str(place):
        raise ValueError(
            f'DAREHook: checkpoints go to {place}, but the difficulty table beside them needs a '
            'disk: mount the store'
        )
    return Path(place)
