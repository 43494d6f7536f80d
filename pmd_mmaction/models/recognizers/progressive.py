"""A student that hooks lead through the phases."""

import torch
from mmengine.model import ModuleDict
from torch import Tensor

from pmd_mmaction.functional import Phase
from pmd_mmaction.models.recognizers.history import DifficultySource, DifficultySpec, PatchLosses
from pmd_mmaction.models.recognizers.masked import MaskedRecognizer
from pmd_mmaction.models.recognizers.terms import DARETerm, PSDTerm, make_term
from pmd_mmaction.models.recognizers.views import MaskedView, draw_view
from pmd_mmaction.models.teachers import AuxiliaryTeacher
from pmd_mmaction.transfer import send


class ProgressiveRecognizer(MaskedRecognizer):
    """What of a student outlives an iteration, and the methods by which hooks change it.

    The state is the phase, the auxiliary teacher, the difficulty table and the outbox. A
    subclass builds ``teachers`` and ``decoders``, one of each per target.

    Args:
        backbone: the student's encoder, a :class:`MaskedVisionTransformer`.
        masker: a :class:`Masker`.
        psd: arguments of :class:`PSDTerm`; None: there is no auxiliary teacher.
        dare: arguments of :class:`DARETerm`; None: there is no difficulty table.
        data_preprocessor: as everywhere in MMAction2.
    """

    teachers: ModuleDict
    decoders: ModuleDict

    def __init__(
        self,
        backbone: dict,
        masker: dict,
        psd: dict | None = None,
        dare: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, masker, data_preprocessor)
        self.psd = make_term(PSDTerm, 'psd', psd)
        self.dare = make_term(DARETerm, 'dare', dare)
        self.auxiliary_teacher: AuxiliaryTeacher | None = None
        self.phase: Phase | None = None
        self.previous_ratio: float | None = None
        self._difficulty: DifficultySource | None = None
        self._outbox: PatchLosses | None = None

    # ------------------------------------------------------------------ what hooks call

    def set_phase(self, phase: Phase, previous_ratio: float | None = None) -> None:
        """Sets the phase.

        Args:
            phase: the phase; its mask ratio is used from now on.
            previous_ratio: mask ratio of the phase before, for ``aux_mask='nested'``.

        Raises:
            ValueError: if the ratio leaves no visible or no masked patch, or falls although
                ``aux_mask`` is ``'nested'``.
        """
        self.masker.check_ratio(phase.mask_ratio)
        nested = self.psd is not None and self.psd.aux_mask == 'nested'
        if nested and previous_ratio is not None and previous_ratio > phase.mask_ratio:
            raise ValueError(
                f"aux_mask='nested' needs rising mask ratios, but phase {phase.index + 1} has "
                f"{phase.mask_ratio} after {previous_ratio}: use aux_mask='same'"
            )
        self.phase, self.previous_ratio = phase, previous_ratio

    @property
    def difficulty_spec(self) -> DifficultySpec | None:
        """What the difficulty table must hold; None if DARE is off."""
        if self.dare is None:
            return None
        return DifficultySpec(
            len(self.teachers), self.backbone.num_patches, self.dare.alpha, self.dare.weighting
        )

    def attach_difficulty(self, source: DifficultySource | None) -> None:
        """Gives the recognizer read access to the difficulty table."""
        self._difficulty = source

    def pop_patch_losses(self) -> PatchLosses | None:
        """Takes the smoothed losses of the last iteration out of the outbox."""
        losses, self._outbox = self._outbox, None
        return losses

    @property
    def needs_auxiliary_teacher(self) -> bool:
        """Whether PSD is on."""
        return self.psd is not None

    def student_state_dict(self) -> dict[str, Tensor]:
        """Weights of the student: keys ``backbone.*`` and ``decoders.*``."""
        return {
            key: value
            for key, value in self.state_dict().items()
            if key.startswith(('backbone.', 'decoders.'))
        }

    def promote_student(self, state_dict: dict[str, Tensor] | None = None) -> None:
        """Makes the student, or the one in ``state_dict``, the auxiliary teacher.

        Args:
            state_dict: result of :meth:`student_state_dict`; None means the present student.

        Raises:
            RuntimeError: if ``state_dict`` does not fit (PyTorch's message).
        """
        teacher = AuxiliaryTeacher(self.backbone, self.decoders)
        if state_dict is not None:
            teacher.network.load_state_dict(state_dict)
        self.auxiliary_teacher = teacher

    # ------------------------------------------------------------------ what an iteration reads

    def draw_view(self, clips: Tensor) -> MaskedView:
        """Draws a mask for each clip from the generator of this iteration.

        Args:
            clips: ``(B, C, T, H, W)``; only their number and device count.

        Raises:
            RuntimeError: if no phase is set.
        """
        if self.phase is None:
            raise RuntimeError(
                'no mask ratio is set: add a ProgressivePhaseHook to custom_hooks, '
                'or call set_phase()'
            )
        nested = self.psd is not None and self.psd.aux_mask == 'nested'
        aux_ratio = self.previous_ratio if nested and self.auxiliary_teacher else None
        return draw_view(
            self.masker,
            clips.shape[0],
            self.phase.mask_ratio,
            aux_ratio,
            self.mask_generator(clips.device),
        )

    def _read_history(
        self, data_samples: list, clips_per_video: int, device: torch.device
    ) -> tuple[list[int], Tensor | None, Tensor | None]:
        """Sample indices and their rows of the difficulty table, one per clip.

        Returns:
            B indices, and :meth:`DifficultySource.read` of them on ``device``; without ``dare``
            no index and None twice.

        Raises:
            RuntimeError: if no table is attached.
            ValueError: if data samples lack ``sample_idx``.
        """
        if self.dare is None:
            return [], None, None
        if self._difficulty is None:
            raise RuntimeError(
                'dare is on but no difficulty table is attached: add '
                "dict(type='DAREHook') to custom_hooks, or set dare=None"
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
        return sample_idx, send(last, device), None if stage is None else send(stage, device)
