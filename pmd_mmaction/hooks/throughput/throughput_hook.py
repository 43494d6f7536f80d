"""Logs how fast the run is and when it will be done."""

from __future__ import annotations

import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import Positive, checked
from pmd_mmaction.contracts import CountableModel, Curriculum, find_hook
from pmd_mmaction.functional import Phase
from pmd_mmaction.hooks.throughput.pace import Pace
from pmd_mmaction.hooks.throughput.peaks import peak_tflops
from pmd_mmaction.hooks.unwrapped_model import plain_model


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Puts the speed of the run beside the losses, for the log.

    ``passes_per_s``: passes of the student per second, of all ranks together. ``mfu``: operations
    of the step as a share of the device's peak in dense matrix products, where that is known.
    ``phase_hours_left`` and ``hours_left``: of the phase and of the run, if later phases reach the
    same operations per second. All are means over the log's window of the ``time`` that
    ``IterTimerHook`` measures, waiting for data included. The main process counts the operations at
    the start, on a copy of the model without weights; nothing waits for the device.

    Args:
        peak_tflops: TFLOP/s of the device; None: those of :func:`peaks.peak_tflops`.

    Raises:
        ValueError: if ``peak_tflops`` is not positive.
    """

    priority = 55  # after IterTimerHook (NORMAL), before the log (BELOW_NORMAL)

    @checked
    def __init__(self, peak_tflops: Positive | None = None) -> None:
        self.peak_tflops = peak_tflops
        self._pace: Pace | None = None  # on the main process, which writes the log

    def before_train(self, runner) -> None:
        """Counts the operations of each phase and looks up the device."""
        model = plain_model(runner)
        if not is_main_process() or not isinstance(model, CountableModel):
            return
        curriculum = find_hook(runner, Curriculum)
        if curriculum is None:
            phases = [Phase(0, getattr(model, 'mask_ratio', None), 0, runner.max_epochs)]
            before = None
        else:
            phases = curriculum.phases.phases
            before = curriculum.previous_ratio(phases[0])
        length = len(runner.train_dataloader)
        gflops = _gflops(runner, model, phases, before)
        self._pace = Pace([phase.end * length for phase in phases], gflops)
        self._peak = self.peak_tflops or _peak(runner, next(model.parameters()).device)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Notes speed and time to go."""
        if self._pace is None:
            return
        hub, done = runner.message_hub, runner.iter + 1
        seconds = hub.get_scalar('train/time').mean(runner.log_processor.window_size)
        clips = sum(map(len, data_batch['inputs']))  # each input is (clips, C, T, H, W)
        masks = plain_model(runner).num_masks
        hub.update_scalar('train/passes_per_s', get_world_size() * clips * masks / seconds)
        rate = self._pace.gflops_per_second(done, clips, seconds)
        if rate is not None and self._peak is not None:
            hub.update_scalar('train/mfu', rate / (1e3 * self._peak))
        phase, run = self._pace.seconds_left(done, seconds)
        hub.update_scalar('train/phase_hours_left', phase / 3600)
        hub.update_scalar('train/hours_left', run / 3600)


def _gflops(
    runner, model: CountableModel, phases: list[Phase], before: float | None
) -> list[float] | None:
    """GFLOPs per clip in each phase; None, and a warning, if they cannot be counted."""
    try:
        return model.step_gflops(runner.cfg.model, phases, before)
    except Exception as error:  # parts from outside this package; no reason not to train
        runner.logger.warning(
            f'ThroughputHook: the operations of a step could not be counted '
            f'({type(error).__name__}: {error}); the log has no mfu, and hours_left takes '
            'all phases to be equally long'
        )
        return None


def _peak(runner, device: torch.device) -> float | None:
    """TFLOP/s of the device in the precision of the run; None where they are not known."""
    if device.type != 'cuda':
        return None
    precision = 'tf32' if torch.backends.cuda.matmul.allow_tf32 else 'float32'
    if hasattr(runner.optim_wrapper, 'cast_dtype'):  # AmpOptimWrapper; None is torch's default
        cast = runner.optim_wrapper.cast_dtype or torch.get_autocast_dtype('cuda')
        precision = str(cast).removeprefix('torch.')
    return peak_tflops(torch.cuda.get_device_name(device), precision)
