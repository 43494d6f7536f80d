"""Losses that stay on the device until they are read."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import HistoryBuffer
from mmengine.registry import HOOKS
from torch import Tensor

LIMIT = 1000  # iterations kept at most: without a log they would fill the memory


class WaitingLosses:
    """Losses of several iterations on the device, fetched in a single transfer."""

    def __init__(self) -> None:
        self._steps: list[tuple[list[LossHistory], Tensor]] = []

    def add(self, histories: list[LossHistory], losses: list[Tensor]) -> None:
        """Keeps the losses of an iteration, one number for each history."""
        values = torch.stack([loss.detach().reshape(()) for loss in losses])
        self._steps.append((histories, values))
        if len(self._steps) == LIMIT:
            self.bring()

    def bring(self) -> None:
        """Moves all losses into their histories; waits for the device if there are any."""
        steps, self._steps = self._steps, []
        if not steps:
            return
        values = torch.cat([values for _, values in steps]).tolist()
        histories = [history for histories, _ in steps for history in histories]
        for history, value in zip(histories, values, strict=True):
            history.update(value)


class LossHistory(HistoryBuffer):
    """A ``HistoryBuffer`` that fetches its values from the device when it is read.

    A copy, such as the one in a checkpoint, is a plain ``HistoryBuffer``.

    Args:
        history: the values logged so far.
        waiting: the values of this and other histories that are still on the device.
    """

    def __init__(self, history: HistoryBuffer, waiting: WaitingLosses) -> None:
        values, counts = history.data
        self.waiting = waiting
        super().__init__(values, counts, history.max_length)

    @property
    def _log_history(self) -> np.ndarray:
        self.waiting.bring()
        return self._values

    @_log_history.setter
    def _log_history(self, values: np.ndarray) -> None:
        self._values = values

    @property
    def _count_history(self) -> np.ndarray:
        self.waiting.bring()
        return self._counts

    @_count_history.setter
    def _count_history(self, counts: np.ndarray) -> None:
        self._counts = counts

    def __reduce__(self) -> tuple:
        return HistoryBuffer, (*self.data, self.max_length)


@HOOKS.register_module()
class LossInfoHook(RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, without waiting for the losses.

    The parent reads each loss from the device in each iteration. Here they stay there until the
    log, a checkpoint or another hook reads one of them; then all are fetched in one transfer, and
    the reader sees the same values as with the parent.
    """

    def __init__(self) -> None:
        self._waiting = WaitingLosses()

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Keeps the losses of the iteration."""
        hub = runner.message_hub
        histories, losses = [], []
        for key, value in (outputs or {}).items():
            name = f'train/{key}'
            if not isinstance(value, Tensor):
                hub.update_scalar(name, value)
                continue
            if name not in hub.log_scalars:
                hub.update_scalar(name, 0.0)  # registers the key as one to save
                hub.log_scalars[name] = HistoryBuffer([], np.array([], dtype=int))
            if getattr(hub.log_scalars[name], 'waiting', None) is not self._waiting:  # or resumed
                hub.log_scalars[name] = LossHistory(hub.log_scalars[name], self._waiting)
            histories.append(hub.log_scalars[name])
            losses.append(value)
        if losses:
            self._waiting.add(histories, losses)
