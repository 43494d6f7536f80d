"""The curriculum of Progressive Student Distillation."""

from pathlib import Path
from typing import Sequence

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop

from pmd_mmaction.arguments import Text, checked, require_keys
from pmd_mmaction.functional import Phase, PhaseSchedule
from pmd_mmaction.hooks.curriculum.optimizer_restart import restart_optimizer
from pmd_mmaction.hooks.curriculum.phase_file import PhaseFile, read_phase_file, write_phase_file
from pmd_mmaction.hooks.curriculum.phase_schedulers import KEYS, phase_schedulers
from pmd_mmaction.hooks.unwrapped_model import plain_model
from pmd_mmaction.storage.atomic_file import write_file
from pmd_mmaction.storage.disk_full import remedy_if_disk_full

RESULT = 'student.pth'


@HOOKS.register_module()
class ProgressivePhaseHook(Hook):
    """Raises the mask ratio phase by phase and promotes students to auxiliary teachers.

    The phase is a pure function of the epoch. At the end of phase K the student is written to
    ``<work_dir>/phase_K_student.pth`` and, with PSD, becomes the auxiliary teacher of phase
    K + 1; a resumed run reads it back from that file. The last student is the result and is also
    written to ``student.pth``, whatever the number of phases.

    A :class:`ResumableTrainLoop` takes the length of the run from the phases, unless ``train_cfg``
    gives ``max_epochs``, and the schedulers from ``schedule``.

    Args:
        phases: one ``dict(mask_ratio=..., epochs=...)`` or pair ``(mask_ratio, epochs)`` per phase,
            so that ``--cfg-options default_hooks.curriculum.phases='[(0.75,50),(0.9,50)]'`` works.
        schedule: arguments of ``phase_schedulers``, which then makes the schedulers of a
            :class:`ResumableTrainLoop`; None: the config's ``param_scheduler``.
        restart: at a boundary, clear the optimiser's state and restore the initial learning
            rate; each phase then has its own schedulers.
        allow_decreasing: accept mask ratios that fall.
        prev_student: ``phase_K_student.pth`` of an earlier run: the student starts from it,
            it is the auxiliary teacher of the first phase given here, and that phase counts
            as K + 1. CLFA's layers are not in the file and are initialised afresh.

    Raises:
        ValueError: for invalid phases (see :class:`PhaseSchedule`).
    """

    priority = 'NORMAL'  # before the schedulers (LOW) and the checkpoint (VERY_LOW)

    @checked
    def __init__(
        self,
        phases: Sequence[dict | tuple[float, int]],
        schedule: dict | None = None,
        restart: bool = True,
        allow_decreasing: bool = False,
        prev_student: Text | None = None,
    ) -> None:
        if schedule is not None:
            require_keys(self, KEYS, schedule=schedule)
        self.phases = PhaseSchedule.of_config(phases, allow_decreasing)
        self.schedule = schedule
        self.restart = restart
        self.allow_decreasing = allow_decreasing
        self.prev_student = prev_student
        self.phases_before = 0  # number of phases that the run of prev_student finished
        self._ratio_before: float | None = None
        self._auxiliary_sha256: str | None = None
        self._auxiliary_path: Path | None = None
        self._expected_sha256: str | None = None

    # ------------------------------------------------------------------ start

    def before_run(self, runner) -> None:
        """Refuses a loop that has not taken the schedulers from here; counts earlier phases.

        Raises:
            FileNotFoundError: if there is no ``prev_student``.
            ValueError: naming the loop that does.
        """
        loop = runner._train_loop
        training = isinstance(loop, BaseLoop)  # not a validation or a test alone
        if training and self.prev_student is not None:  # PlanCheckHook asks for them
            content = read_phase_file(Path(self.prev_student))
            self.phases_before, self._ratio_before = content.number, content.mask_ratio
        if training and self.schedule is not None and getattr(loop, 'curriculum', None) is not self:
            raise ValueError(
                f'ProgressivePhaseHook has a schedule, but this {type(loop).__name__} was built '
                "without it: set train_cfg.type='ResumableTrainLoop', and register the hook before "
                'the loop is built; or set schedule=None in the hook and param_scheduler=[...]'
            )

    def scheduler_configs(self) -> list[dict] | None:
        """The learning rate's schedulers; None: the config gives them."""
        if self.schedule is None:
            return None
        return phase_schedulers(self.phases, self.restart, **self.schedule)

    def before_train(self, runner) -> None:
        """Restores the auxiliary teacher of a resumed run."""
        model = plain_model(runner)
        if self.prev_student is not None:
            self._start_from_previous(runner, model)
        phase = self.phases.at(runner.epoch)
        begun = runner.iter > phase.begin * len(runner.train_dataloader)
        if begun and phase.index > 0 and model.needs_auxiliary_teacher:
            path = self._existing_path(runner, phase.index)
            self._promote_from_file(model, path, self._expected_sha256)
            self._adopt(runner, path, self._path(runner, phase.index))
        self._log_plan(runner)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Remembers which auxiliary teacher the checkpoint was trained with."""
        self._expected_sha256 = checkpoint.get('pmd', {}).get('auxiliary_sha256')

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Names the auxiliary teacher in the checkpoint."""
        teacher = dict(auxiliary_sha256=self._auxiliary_sha256)
        if self._auxiliary_path is not None:
            teacher['auxiliary_file'] = self._auxiliary_path.name
        checkpoint['pmd'] = teacher

    # ------------------------------------------------------------------ boundaries

    def before_train_epoch(self, runner) -> None:
        """Sets the phase of this epoch; at a boundary promotes the student first."""
        model, phase = plain_model(runner), self.phases.at(runner.epoch)
        if phase.index > 0 and runner.iter == phase.begin * len(runner.train_dataloader):
            self._finish_phase(runner, self.phases.phases[phase.index - 1])
            if model.needs_auxiliary_teacher:
                model.promote_student()
        model.set_phase(phase, self.previous_ratio(phase))
        runner.message_hub.update_scalar('train/phase', self._number(phase))
        runner.message_hub.update_scalar('train/mask_ratio', phase.mask_ratio)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Restarts the optimiser after the last iteration of each phase but the final one."""
        last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        phase = self.phases.at(runner.epoch)
        ends_phase = runner.epoch == phase.end - 1 < self.phases.total_epochs - 1
        if self.restart and last and ends_phase:
            restart_optimizer(runner.optim_wrapper)
            runner.logger.info(f'Phase {self._number(phase)} is over: optimiser restarted')

    def after_train(self, runner) -> None:
        """Writes the last student, the result of the whole curriculum."""
        if runner.epoch < self.phases.total_epochs:
            return
        last = self.phases.phases[-1]
        self._finish_phase(runner, last)
        if is_main_process():
            self._write_student(runner, Path(runner.work_dir) / RESULT, last)

    # ------------------------------------------------------------------ details

    def _number(self, phase: Phase) -> int:
        """Number of a phase, from 1, those of earlier runs included."""
        return self.phases_before + phase.index + 1

    def _path(self, runner, index: int) -> Path:
        """Path of the student that precedes phase ``index``."""
        return Path(runner.work_dir) / f'phase_{self.phases_before + index}_student.pth'

    def _existing_path(self, runner, index: int) -> Path:
        """The same beside the checkpoint to resume from, or else in the work directory."""
        path = self._path(runner, index)
        beside = Path(runner._load_from).parent / path.name if runner._load_from else path
        return beside if beside.is_file() else path

    def previous_ratio(self, phase: Phase) -> float | None:
        """Mask ratio of the previous phase, in this run or an earlier one; None in the first."""
        if phase.index > 0:
            return self.phases.phases[phase.index - 1].mask_ratio
        return self._ratio_before

    def _finish_phase(self, runner, phase: Phase) -> None:
        """Writes ``phase_K_student.pth`` (main process)."""
        if is_main_process():
            path = self._path(runner, phase.index + 1)
            digest = self._write_student(runner, path, phase)
            if plain_model(runner).needs_auxiliary_teacher:
                self._auxiliary_path, self._auxiliary_sha256 = path, digest
            runner.logger.info(
                f'Student of phase {self._number(phase)} (mask ratio '
                f'{phase.mask_ratio}) written to {path}'
            )

    def _write_student(self, runner, path: Path, phase: Phase) -> str:
        """Writes the student as that of a phase; returns the digest of the file."""
        student = plain_model(runner).student_state_dict()
        with remedy_if_disk_full():
            return write_phase_file(path, student, self._number(phase), phase.mask_ratio)

    def _promote_from_file(
        self, model, path: Path, expected_sha256: str | None = None
    ) -> PhaseFile:
        """Reads a student and makes it the auxiliary teacher; returns the file's content."""
        content = read_phase_file(path, expected_sha256)
        if model.needs_auxiliary_teacher:
            model.promote_student(content.state_dict)
        self._auxiliary_sha256 = content.sha256
        if self.prev_student is None or path != Path(self.prev_student):
            self._auxiliary_path = path  # beside the checkpoints, which name it
        return content

    def _adopt(self, runner, path: Path, own: Path) -> None:
        """Copies a student from another work directory, for checkpoints of this one name it."""
        if path.resolve() != own.resolve():
            with remedy_if_disk_full():
                if is_main_process():
                    write_file(own, path.read_bytes())
            self._auxiliary_path = own

    def _start_from_previous(self, runner, model) -> None:
        """Continues the curriculum of another run."""
        resumed = runner.iter > 0 and self.phases.at(runner.epoch).index == 0
        expected = self._expected_sha256 if resumed else None
        content = self._promote_from_file(model, Path(self.prev_student), expected)
        first = self.phases.phases[0]
        if content.mask_ratio > first.mask_ratio and not self.allow_decreasing:
            raise ValueError(
                f'prev_student was trained at mask ratio {content.mask_ratio}, above '
                f'{first.mask_ratio} of the first phase: remove the phases that are '
                'done already, or set allow_decreasing=True'
            )
        if runner.iter == 0:
            missing = set(model.student_state_dict()) ^ set(content.state_dict)
            if missing:
                raise ValueError(
                    f'{self.prev_student} is not the student of this config; keys that only one '
                    f'of them has: {sorted(missing)[:5]}'
                )
            model.load_state_dict(content.state_dict, strict=False)  # no CLFA in the file

    def _log_plan(self, runner) -> None:
        """Logs the phases."""
        for phase in self.phases.phases:
            teacher = 'no auxiliary teacher'
            if self._number(phase) > 1 and plain_model(runner).needs_auxiliary_teacher:
                teacher = f'auxiliary teacher: student of phase {self._number(phase) - 1}'
            runner.logger.info(
                f'Phase {self._number(phase)}: epochs {phase.begin + 1}-{phase.end}, mask ratio '
                f'{phase.mask_ratio}, {teacher}'
            )
