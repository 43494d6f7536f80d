"""State kept between iterations, and the methods by which hooks change it."""

from typing import Mapping, Sequence

import torch
from mmengine.model import ModuleDict
from torch import Tensor

from pmd_mmaction.contracts import Diagnosis, DifficultySource, DifficultySpec, PatchLosses
from pmd_mmaction.functional import Phase, gather_crop
from pmd_mmaction.models.maskers import View
from pmd_mmaction.models.recognizers.masked import MaskedRecognizer
from pmd_mmaction.models.recognizers.masking import build_views, stack_metainfo
from pmd_mmaction.models.teachers import AuxiliaryTeacher
from pmd_mmaction.models.terms import CLFATerm, DARETerm, History, PSDTerm
from pmd_mmaction.transfer import send


class CurriculumRecognizer(MaskedRecognizer):
    """State kept between iterations: the phase, the auxiliary teacher, the table, the outbox.

    A subclass builds ``teachers``, ``decoders`` and ``terms``.

    Args:
        backbone: the student's encoder, a :class:`MaskedVisionTransformer`.
        masker: a :class:`Masker`.
        views: as in :class:`MaskedDistillation`.
        num_masks: masks per clip.
        mask_choice: as in :class:`MaskedDistillation`.
        mask_ratio: fraction of masked patches without a phase; None: a phase must be set.
        data_preprocessor: as usual in MMAction2.
    """

    teachers: ModuleDict
    decoders: ModuleDict
    terms: ModuleDict
    teacher_dtype: str | None

    def __init__(
        self,
        backbone: dict,
        masker: dict,
        views: Mapping[str, dict] | None = None,
        num_masks: int = 1,
        mask_choice: str = 'disjoint',
        mask_ratio: float | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, masker, data_preprocessor)
        self.views = build_views(self, views or {}, num_masks, mask_choice)
        if mask_ratio is not None:
            self.views.check_ratio(mask_ratio)
        self.mask_ratio = mask_ratio
        self.auxiliary_teacher: AuxiliaryTeacher | None = None
        self.phase: Phase | None = None
        self.previous_ratio: float | None = None
        self._difficulty: DifficultySource | None = None
        self._outbox: PatchLosses | None = None
        self._diagnosed = False  # whether the next iteration is
        self._diagnosis: Diagnosis | None = None

    def _term(self, kind: type) -> object | None:
        """The term of a class; None if there is none."""
        return next((term for term in self.terms.values() if isinstance(term, kind)), None)

    @property
    def psd(self) -> PSDTerm | None:
        """The term of the auxiliary teacher; None if there is no such teacher."""
        return self._term(PSDTerm)

    @property
    def dare(self) -> DARETerm | None:
        """The term of the difficulty table; None if there is no table."""
        return self._term(DARETerm)

    @property
    def clfa(self) -> CLFATerm | None:
        """The term that aligns layers; None if there is none."""
        return self._term(CLFATerm)

    @property
    def num_masks(self) -> int:
        """Masks, and passes of the student, per clip."""
        return self.views.num_masks

    @property
    def current_mask_ratio(self) -> float | None:
        """Share of masked patches, that of the phase if there is one; None: none is set."""
        return self.mask_ratio if self.phase is None else self.phase.mask_ratio

    # ------------------------------------------------------------------ what hooks call

    def check_phase(self, phase: Phase, previous_ratio: float | None = None) -> None:
        """Refuses a phase that does not suit the model; changes nothing.

        Args:
            phase: the phase.
            previous_ratio: mask ratio of the previous phase, for ``aux_mask='nested'``.

        Raises:
            ValueError: if the ratio leaves no visible or no masked patch, or falls although
                ``aux_mask`` is ``'nested'``.
        """
        self.views.check_ratio(phase.mask_ratio)
        if self._nested and previous_ratio is not None and previous_ratio > phase.mask_ratio:
            raise ValueError(
                f"aux_mask='nested' needs rising mask ratios, but phase {phase.index + 1} has "
                f"{phase.mask_ratio} after {previous_ratio}: use aux_mask='same'"
            )

    def set_phase(self, phase: Phase, previous_ratio: float | None = None) -> None:
        """Sets the phase, whose mask ratio is used from now on; see :meth:`check_phase`."""
        self.check_phase(phase, previous_ratio)
        self.phase, self.previous_ratio = phase, previous_ratio

    @property
    def difficulty_spec(self) -> DifficultySpec | None:
        """Size of the difficulty table that the model needs; None if DARE is off."""
        dare = self.dare
        if dare is None:
            return None
        teachers, student = len(self.difficulty_teachers), self.backbone
        size = (teachers, student.num_patches, dare.alpha, dare.weighting)
        return DifficultySpec(*size, student.token_grid)

    @property
    def difficulty_teachers(self) -> list[str]:
        """Names of the K teachers of the table, in the order of its rows; needs DARE."""
        return list(self.dare.teachers or self.teachers)

    def attach_difficulty(self, source: DifficultySource | None) -> None:
        """Gives the recognizer read access to the difficulty table."""
        self._difficulty = source

    def pop_patch_losses(self) -> PatchLosses | None:
        """Returns the smoothed losses of the last iteration and clears the outbox."""
        losses, self._outbox = self._outbox, None
        return losses

    def difficulty_of(self, data_samples: list) -> dict[str, Tensor]:
        """Smoothed losses ``(B, N)`` of the first clips by teacher; empty without a table."""
        clips = len(data_samples[0].crop_box) if 'crop_box' in data_samples[0] else 1
        _, history = self.read_history(data_samples, clips, torch.device('cpu'))
        if history is None:
            return {}
        return dict(zip(self.difficulty_teachers, history.last[::clips].unbind(1)))

    def diagnose_next(self, wanted: bool) -> None:
        """Whether the next iteration is to be diagnosed; it costs some passes over the targets."""
        self._diagnosed = wanted

    def pop_diagnosis(self) -> Diagnosis | None:
        """Takes the diagnosis of the last iteration; None if it has none."""
        diagnosis, self._diagnosis = self._diagnosis, None
        return diagnosis

    @property
    def needs_auxiliary_teacher(self) -> bool:
        """Whether a term (PSD) reads the predictions of the student of the previous phase."""
        return any(term.needs_auxiliary for term in self.terms.values())

    def student_state_dict(self) -> dict[str, Tensor]:
        """Weights of the student: keys ``backbone.*`` and ``decoders.*``."""
        own = ('backbone.', 'decoders.')
        return {k: v for k, v in self.state_dict().items() if k.startswith(own)}

    def promote_student(self, state_dict: dict[str, Tensor] | None = None) -> None:
        """Makes the student, or the one in ``state_dict``, the auxiliary teacher.

        Args:
            state_dict: result of :meth:`student_state_dict`; None means the current student.

        Raises:
            RuntimeError: if ``state_dict`` does not fit (PyTorch's message).
        """
        teacher = AuxiliaryTeacher(self.backbone, self.decoders)
        if state_dict is not None:
            teacher.network.load_state_dict(state_dict)
        own = None if self.psd is None else self.psd.aux_dtype
        teacher.compute_in(own or self.teacher_dtype)
        self.auxiliary_teacher = teacher

    # ------------------------------------------------------------------ what an iteration reads

    @property
    def _nested(self) -> bool:
        return self.psd is not None and self.psd.aux_mask == 'nested'

    def draw_views(self, clips: Tensor, data_samples: Sequence = ()) -> dict[str, View]:
        """Draws the masks of each clip from the generator of this iteration.

        Args:
            clips: ``(B, C, T, H, W)``; only their number and device matter.
            data_samples: of the videos of the clips, for a masker that reads their metainfo.

        Returns:
            See :meth:`Views.draw`.

        Raises:
            RuntimeError: if no mask ratio is set.
            ValueError: if the data samples lack what the masker reads.
        """
        ratio = self.current_mask_ratio
        if ratio is None:
            raise RuntimeError(
                'no mask ratio is set: add a ProgressivePhaseHook to custom_hooks, '
                'or call set_phase()'
            )
        own = self.previous_ratio if self._nested and self.auxiliary_teacher else None
        metainfo = {
            name: send(stack_metainfo(data_samples, name, len(clips), self.masker), clips.device)
            for name in self.masker.reads
        }
        generator = self.mask_generator(clips.device)
        return self.views.draw(len(clips), ratio, generator, own, metainfo)

    def read_history(
        self, data_samples: list, clips_per_video: int, device: torch.device
    ) -> tuple[list[int], History | None]:
        """Sample indices and their rows of the difficulty table, one per clip.

        Returns:
            B indices and the result of :meth:`DifficultySource.read` for them, on ``device``;
            without DARE an empty list and None.

        Raises:
            RuntimeError: if no table is attached.
            ValueError: if data samples lack ``sample_idx``, or ``crop_box`` where rows cover the
                frame.
        """
        if self.dare is None:
            return [], None
        if self._difficulty is None:
            raise RuntimeError(
                'dare is on but no difficulty table is attached: add '
                "dict(type='DAREHook') to custom_hooks, or leave DARE out"
            )
        missing = [i for i, sample in enumerate(data_samples) if 'sample_idx' not in sample]
        if missing:
            raise ValueError(
                f'data samples {missing} of the batch have no sample_idx, which DARE needs: use '
                "dict(type='PackActionInputs', meta_keys=('sample_idx', ...)) in the pipeline"
            )
        sample_idx = [
            int(sample.sample_idx) for sample in data_samples for _ in range(clips_per_video)
        ]
        last, stage = self._difficulty.read(sample_idx)
        history = History(send(last, device), None if stage is None else send(stage, device))
        if self._difficulty.by_place:
            boxes = stack_metainfo(data_samples, 'crop_box', len(sample_idx), self.dare)
            history = self._crop(history, send(boxes, device))
        return sample_idx, history

    def _crop(self, history: History, boxes: Tensor) -> History:
        """The patches of the crops out of rows that cover the frame."""
        grid = self.backbone.token_grid
        crops = (None if rows is None else gather_crop(rows, boxes, grid) for rows in history)
        return History(*crops)
