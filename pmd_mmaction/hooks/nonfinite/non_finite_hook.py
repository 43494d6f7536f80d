"""Losses and gradients that are not finite: skipped, counted, recorded, and an end to it."""

import math
from pathlib import Path
from typing import Literal

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.registry import HOOKS
from torch import Tensor

from pmd_mmaction.arguments import Count, Positive, Whole, checked, require
from pmd_mmaction.contracts import DiagnosableModel, DifficultyModel
from pmd_mmaction.hooks.nonfinite.finite_guard import FiniteGuard, Verdict
from pmd_mmaction.hooks.nonfinite.rollback import (
    RollbackLog,
    RollbackRequested,
    agreed_checkpoint,
    reorder,
)
from pmd_mmaction.hooks.nonfinite.step_recorder import StepRecorder
from pmd_mmaction.hooks.unwrapped_model import plain_model

# Of skipped steps: a dynamic loss scale alone skips one in 2,000 to find its largest value.
FINE_SHARE = 0.001


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Skips steps whose losses or gradients are not finite.

    All ranks skip together. Parameters, optimiser and difficulty table stay as they are, bit
    for bit; schedulers and counters go on. With accumulation the difficulty table takes the finite
    iterations of a skipped step. The number of skipped steps is ``skipped_steps`` in
    the log, and each rank writes what ``tools/replay_batch.py`` needs to run the step again to
    ``<work_dir>/nonfinite/``. Losses that are not finite stay out of the averages in the log.

    Args:
        max_in_a_row: consecutive skipped steps after which
            ``on_nonfinite`` happens.
        on_nonfinite: ``'stop'`` ends the run with an error; ``'rollback'`` goes back to the last
            checkpoint and on with another order of the data.
        max_rollbacks: maximum rollbacks to one checkpoint; then the run stops.
        dump_weights: record the weights too, once per row of skipped steps (the main process).
        max_dumps: record so many steps in the work directory, over all restarts; then only count.

    Raises:
        ValueError: for an unknown ``on_nonfinite`` or a number below its minimum.
    """

    # First of all: RuntimeInfoHook logs the losses, DAREHook writes the table.
    priority = 'HIGHEST'

    @checked
    def __init__(
        self,
        max_in_a_row: Whole = 10,
        on_nonfinite: Literal['stop', 'rollback'] = 'stop',
        max_rollbacks: Whole = 3,
        dump_weights: bool = True,
        max_dumps: Count = 10,
    ) -> None:
        self.max_in_a_row = max_in_a_row
        self.on_nonfinite = on_nonfinite
        self.max_rollbacks = max_rollbacks
        self.dump_weights = dump_weights
        self.max_dumps = max_dumps
        self._row = 0

    # ------------------------------------------------------------------ start and end

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuses weights from which nothing can be trained.

        Raises:
            ValueError: naming the first weight that is not finite.
        """
        weights = dict(checkpoint.get('state_dict', checkpoint))
        if runner._resume:  # beside the average in state_dict, EMAHook saves what is trained
            weights |= checkpoint.get('ema_state_dict', {})
        for key, value in weights.items():
            if isinstance(value, Tensor) and not value.isfinite().all():
                raise ValueError(
                    f'{key} in the checkpoint {runner._load_from or "to resume from"} is not '
                    'finite: take an earlier checkpoint'
                )

    def before_train(self, runner) -> None:
        """Puts the guard in place and the data in the order of this run.

        Raises:
            TypeError: for several optimisers.
            ValueError: for a bound of the gradients that is not above 0.
        """
        if isinstance(runner.optim_wrapper, OptimWrapperDict):
            raise TypeError(
                'NonFiniteHook works with one optimiser, not with several: write '
                'default_hooks=dict(_delete_=True, ...) without non_finite'
            )
        _check_bounds(getattr(runner.optim_wrapper, 'clip_grad_kwargs', None) or {})
        directory = Path(runner.work_dir) / 'nonfinite'
        self._recorder = StepRecorder(directory, self.max_dumps, self.dump_weights)
        self._rollbacks = RollbackLog(directory / 'rollbacks.json')
        if runner.iter == 0:
            self._rollbacks.clear()
        if self.on_nonfinite == 'rollback':
            reorder(runner.train_dataloader, len(self._rollbacks.read()))
        self._guard = FiniteGuard(plain_model(runner), runner.optim_wrapper)

    def after_train(self, runner) -> None:
        """Takes the guard away."""
        self._guard.remove()

    # ------------------------------------------------------------------ one iteration

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Counts and records a skipped step; nobody else sees its values."""
        verdict = self._guard.close_iteration()
        self._recorder.see_batch(runner, data_batch, outputs)
        if verdict.skipped:
            self._count(runner, verdict)
        if verdict.updated:
            self._row = 0
        if verdict.updated or verdict.skipped:
            self._recorder.end_step(verdict.updated)
        if verdict.bad_batch:
            _discard(plain_model(runner), outputs)

    def _count(self, runner, verdict: Verdict) -> None:
        hub = runner.message_hub
        total = hub.runtime_info.get('skipped_steps', 0) + 1
        hub.update_info('skipped_steps', total)  # travels in the checkpoint
        hub.update_scalar('train/skipped_steps', total)
        if verdict.seeks_scale:
            sought = hub.runtime_info.get('scale_steps', 0) + 1
            hub.update_info('scale_steps', sought)
            hub.update_scalar('train/scale_steps', sought)
            runner.logger.info('Step skipped: the loss scale was too large for float16')
            return
        self._row += 1
        record = self._recorder.write(runner, verdict.reason)
        # the Runner's copy, which has what the command line changed
        name = Path(runner.cfg.filename or f'{runner.timestamp}.py').name
        runner.logger.warning(
            f'Step skipped, {self._row} in a row, {total} in all, {total / (runner.iter + 1):.2%} '
            f'(fine below {FINE_SHARE:.1%}): a {verdict.reason} was not finite in iteration '
            f'{runner.iter + 1}, '
            + (
                f'see: python tools/replay_batch.py {record} --config {Path(runner.work_dir, name)}'
                if record
                else f'not recorded: {self._recorder.directory} has {self.max_dumps} (max_dumps)'
            )
        )
        if self._row >= self.max_in_a_row:
            self._give_up(runner, verdict.reason)

    def _give_up(self, runner, reason: str) -> None:
        """Stops the run or asks for a rollback; every rank comes here together."""
        what = f'{self._row} steps in a row had a {reason} that was not finite'
        advice = (
            f'look at the records in {self._recorder.directory} with tools/replay_batch.py, then '
            'resume from an earlier checkpoint with optim_wrapper.clip_grad, or start afresh with '
            'a lower optim_wrapper.optimizer.lr'
        )
        if self.on_nonfinite == 'stop':
            raise FloatingPointError(f'{what}: {advice}')
        checkpoint = agreed_checkpoint(Path(runner.work_dir))
        if checkpoint is None:
            raise FloatingPointError(f'{what}, and there is no checkpoint to go back to: {advice}')
        name = Path(checkpoint).name
        before = [entry['checkpoint'] for entry in self._rollbacks.read()]
        if before.count(name) >= self.max_rollbacks:
            raise FloatingPointError(
                f'{what}, after {self.max_rollbacks} rollback(s) to {name}: {advice}'
            )
        self._rollbacks.add(checkpoint=name, epoch=runner.epoch, iter=runner.iter)
        raise RollbackRequested(
            f'{what}: the run goes back to {checkpoint} and on with another order of the data. '
            'tools/train.py does so by itself; elsewhere, resume the run',
            checkpoint,
        )


def _check_bounds(clip_grad: dict) -> None:
    """0 would train nothing, less would climb the loss, NaN would spoil finite gradients."""
    for key in ('max_norm', 'clip_value'):
        value = clip_grad.get(key, math.inf)  # which only logs the norm
        if value != math.inf:
            require('clip_grad', Positive, **{key: value})


def _discard(model, outputs: dict | None) -> None:
    """Keeps a bad batch out of the difficulty table, the averages in the log and its diagnosis."""
    if isinstance(model, DifficultyModel):
        model.pop_patch_losses()
    if isinstance(model, DiagnosableModel):
        model.pop_diagnosis()
    for key in [key for key, value in (outputs or {}).items() if not value.isfinite()]:
        del outputs[key]
