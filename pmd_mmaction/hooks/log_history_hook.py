"""Bounds the history of logged values."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

# they may not change for many epochs
COUNTERS = 'train/skipped_steps', 'train/scale_steps', 'train/bad_videos'


@HOOKS.register_module()
class LogHistoryHook(Hook):
    """Drops logged values that the log will not read again.

    MMEngine keeps up to a million values of every loss, time and learning rate, in memory and in
    each checkpoint, and copies them all whenever one is added. The log reads no further back than
    its ``window_size`` or the epoch, so the longer of the two is kept. With
    ``window_size='global'`` in ``log_processor.custom_cfg`` everything is kept. What a resumed run
    no longer logs, as of a term that was left out, is dropped after a whole epoch: the log would
    repeat its last value in every line.
    """

    priority = 'LOWEST'

    def before_train(self, runner) -> None:
        """Determines how far back the log can read, and what was logged by an earlier run."""
        processor = runner.log_processor
        windows = [processor.window_size]
        windows += [entry.get('window_size') or 1 for entry in processor.custom_cfg]
        loops = [loop for loop in (runner.train_loop, runner.val_loop) if loop is not None]
        lengths = [len(loop.dataloader) for loop in loops]
        whole = 'global' in windows
        self._kept = None if whole else max(lengths + [w for w in windows if w != 'epoch'])
        self._due = runner.epoch + 1  # the first may have been resumed near its end
        self._earlier = {
            key: history._log_history  # an update replaces it
            for key, history in runner.message_hub.log_scalars.items()
            if key.startswith('train/') and key not in COUNTERS
        }

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Truncates all histories, including those that began in this iteration."""
        if self._kept is not None:
            for history in runner.message_hub.log_scalars.values():
                history.max_length = self._kept

    def after_train_epoch(self, runner, metrics: dict | None = None) -> None:
        """Drops what only the earlier run logged."""
        if runner.epoch < self._due:
            return
        scalars = runner.message_hub.log_scalars
        for key, values in self._earlier.items():
            if key in scalars and scalars[key]._log_history is values:
                del scalars[key]
        self._earlier = {}
