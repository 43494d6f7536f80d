"""Graceful shutdown on preemption."""

import functools
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import Whole, checked
from pmd_mmaction.contracts import find_hook, iterations_per_step
from pmd_mmaction.hooks.checkpoints.safe_checkpoint_hook import SafeCheckpointHook

CATCHABLE = [name for name in signal.Signals.__members__ if name not in ('SIGKILL', 'SIGSTOP')]


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On a signal: finishes the iteration, saves, and exits with status 0.

    The checkpoint records the position inside the epoch; with ``ResumableTrainLoop`` the next
    start continues there. Ranks agree on when to stop: whichever of them got the signal, all stop
    after the next agreement. Data loader workers ignore the signals, which clusters send to every
    process.

    Args:
        signals: names of the signals, such as Slurm's ``--signal=USR1@120``.
        agree_every: iterations between agreements of several ranks, each an all-reduce of one
            number that the host waits for. A single rank needs none and checks every iteration.

    Raises:
        ValueError: for an unknown signal or ``agree_every`` below 1.
    """

    priority = 'LOWEST'  # when everything else has seen the iteration

    @checked
    def __init__(
        self, signals: Sequence[str] = ('SIGTERM', 'SIGUSR1'), agree_every: Whole = 10
    ) -> None:
        listed = isinstance(signals, Sequence) and not isinstance(signals, str)
        if not (listed and signals and all(name in CATCHABLE for name in signals)):
            raise ValueError(
                f'PreemptionHook: signals is {signals!r}; it must be a list of names such as '
                "'SIGTERM', of signals that a process can catch"
            )
        self.signals = [signal.Signals[name] for name in signals]
        self.agree_every = agree_every
        self._received: int | None = None
        self._stopping = False
        self._common_batches = 0  # of a validation
        self._previous: dict = {}

    def before_train(self, runner) -> None:
        """Installs the signal handlers.

        Raises:
            ValueError: if no hook can save inside an epoch.
        """
        self._checkpoints = find_hook(runner, SafeCheckpointHook)
        if self._checkpoints is None:
            raise ValueError(
                'PreemptionHook saves through SafeCheckpointHook: set '
                "default_hooks.checkpoint.type='SafeCheckpointHook'"
            )
        if threading.current_thread() is not threading.main_thread():
            runner.logger.warning('PreemptionHook is off: only a main thread receives signals')
            return
        self._received, self._stopping = None, False
        for number in self.signals:
            self._previous[number] = signal.signal(number, self._note)
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                loader = loop.dataloader
                loader.worker_init_fn = functools.partial(
                    _ignore_in_worker, self.signals, loader.worker_init_fn
                )

    def after_train(self, runner) -> None:
        """Restores the signal handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Stops after this iteration if a signal came and no gradients are waiting."""
        done = runner.iter + 1
        last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        if self._agree(done % self.agree_every == 0 or last) and done < runner.max_iters:
            if done % iterations_per_step(runner) == 0:
                self._stop(runner, done)

    def before_val_epoch(self, runner) -> None:
        """Finds how many batches all ranks have; some may have one more."""
        if self._previous:
            shortest = torch.tensor(len(runner.val_dataloader))
            all_reduce(shortest, 'min')
            self._common_batches = int(shortest)

    def after_val_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Stops during validation, too; a resumed run skips the rest of it."""
        done = batch_idx + 1
        due = done % self.agree_every == 0 and done <= self._common_batches
        if self._previous and self._agree(due):
            if runner.iter < runner.max_iters:
                for hook in runner.hooks:
                    if isinstance(hook, EMAHook):  # the model has the average while it validates
                        hook.after_val_epoch(runner)
                self._stop(runner, runner.iter)

    def _note(self, number: int, frame) -> None:
        """The signal handler: records the signal and nothing else."""
        self._received = number

    def _agree(self, due: bool) -> bool:
        """Whether all ranks stop now."""
        if get_world_size() == 1:
            self._stopping = self._received is not None
        elif due and not self._stopping:
            flag = torch.tensor(int(self._received is not None))
            all_reduce(flag, 'max')
            self._stopping = bool(flag)
        return self._stopping

    def _stop(self, runner, iteration: int) -> None:
        path = self._checkpoints.save_now(runner, iteration)
        barrier()  # a rank that leaves early may end the job of the one that writes
        name = signal.Signals(self._received).name if self._received else 'A signal to another rank'
        runner.logger.warning(
            f'{name}: stopped after iteration {iteration} and saved {path}; '
            f'resume with: {_command_to_resume(sys.argv)}'
        )
        # The handlers stay: another signal while workers end would change the exit status.
        raise SystemExit(0)


def _command_to_resume(argv: list[str]) -> str:
    """The command of this process with ``--resume`` alone, which takes what was saved last."""
    kept, given = [], False
    for part in argv:
        value_of_resume = given and not part.startswith('-')
        given = part == '--resume'
        if not given and not value_of_resume and not part.startswith('--resume='):
            kept.append(part)
    command = shlex.join(['python', *kept, '--resume'])
    launched = any(part.startswith('--launcher') for part in argv)
    return f'{command} (through the launcher, as before)' if launched else command


def _ignore_in_worker(
    signals: list[signal.Signals], then: Callable[[int], None] | None, worker: int
) -> None:
    """Runs in each worker: signals are for the main process, which alone may end a worker."""
    # Blocked, not ignored: the thread sees who sent it, and Python ends its workers by SIGTERM.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=_obey_the_parent, args=(set(signals),), daemon=True).start()
    if then is not None:
        then(worker)


def _obey_the_parent(signals: set[signal.Signals]) -> None:
    parent = os.getppid()
    while signal.sigwaitinfo(signals).si_pid != parent:
        pass
    os._exit(0)
