"""Progressive Mask Distillation: one training iteration."""

import torch
from mmaction.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor

from pmd_mmaction.functional import (
    checks,
    difficulty_loss,
    masked_mean,
    masked_weights,
    patch_distance,
    smooth_difficulty,
    uniform_weights,
)
from pmd_mmaction.models.loss_weight import check_loss_weight, weight_of
from pmd_mmaction.models.recognizers.history import PatchLosses
from pmd_mmaction.models.recognizers.parts import build_part, build_teachers
from pmd_mmaction.models.recognizers.progressive import ProgressiveRecognizer
from pmd_mmaction.models.recognizers.terms import TEACHER_DTYPES, BaseTerm, make_term
from pmd_mmaction.models.recognizers.views import MaskedView
from pmd_mmaction.models.teachers import FrozenTeacher, TeacherOutput


@MODELS.register_module()
class PMDRecognizer(ProgressiveRecognizer):
    """Masked video distillation from two frozen teachers, with PSD, DARE and CLFA.

    ``L = l_base L_base + l_pg L_pg + l_df L_df + l_al L_al`` (paper, Loss & Training). A
    term whose argument is None is off.

    Args:
        backbone: the student's encoder, a :class:`MaskedVisionTransformer`.
        decoder: one :class:`FeatureDecoder` is built from this for each teacher.
        masker: a :class:`Masker`.
        image_teacher: :class:`TimmImageTeacher`, or None.
        video_teacher: :class:`VideoMAETeacher`, or None.
        base: arguments of :class:`BaseTerm`.
        psd: arguments of :class:`PSDTerm`.
        dare: arguments of :class:`DARETerm`; needs ``DAREHook``.
        clfa: config of a :class:`CLFANeck`.
        teacher_dtype: ``'bfloat16'`` or ``'float16'``: matrix products of all teachers, the
            auxiliary one included unless ``psd`` says otherwise, run in it, and their weights are
            kept in it; None: as the rest of the model.
        data_preprocessor: as everywhere in MMAction2.

    Raises:
        ValueError: without a teacher, with neither ``base`` nor ``dare``, for an unknown
            ``teacher_dtype``, or if a teacher looks at other clips than the student.
    """

    def __init__(
        self,
        backbone: dict,
        decoder: dict,
        masker: dict,
        image_teacher: dict | None = None,
        video_teacher: dict | None = None,
        base: dict | None = None,
        psd: dict | None = None,
        dare: dict | None = None,
        clfa: dict | None = None,
        teacher_dtype: str | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, masker, psd, dare, data_preprocessor)
        self.base = make_term(BaseTerm, 'base', base)
        if base is None and dare is None:
            raise ValueError(
                'base and dare are both off, so nothing trains the decoders: give one of them; '
                'psd and clfa are additions'
            )
        checks.require_one_of(self, TEACHER_DTYPES, teacher_dtype=teacher_dtype)
        self.teacher_dtype = teacher_dtype
        self.teachers = build_teachers(
            self, image_teacher=image_teacher, video_teacher=video_teacher
        )
        for teacher in self.teachers.values():
            _set_precision(teacher, teacher_dtype)
        for name in ('base', 'psd', 'dare'):
            if getattr(self, name) is not None:
                check_loss_weight(name, getattr(self, name).loss_weight, self.teachers)
        student = self.backbone
        dims = {name: teacher.embed_dims for name, teacher in self.teachers.items()}
        # mmengine's ModuleDict, since PyTorch's does not pass init_weights() on
        self.decoders = ModuleDict(
            {
                name: build_part(
                    self,
                    'decoder',
                    decoder,
                    in_dims=student.embed_dims,
                    out_dims=out_dims,
                    token_grid=student.token_grid,
                )
                for name, out_dims in dims.items()
            }
        )
        if clfa is not None:
            self.neck = build_part(
                self,
                'clfa',
                clfa,
                student_dims=student.embed_dims,
                student_depth=student.depth,
                num_patches=student.num_patches,
                teacher_dims=dims,
            )
            for teacher in self.teachers.values():
                self.neck.teacher_groups(teacher.depth)  # refuses a depth without groups now

    def promote_student(self, state_dict: dict[str, Tensor] | None = None) -> None:
        """As in :class:`ProgressiveRecognizer`; the new teacher computes in ``aux_dtype``."""
        super().promote_student(state_dict)
        _set_precision(self.auxiliary_teacher, self.psd.aux_dtype or self.teacher_dtype)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """One training iteration: the weighted terms of the total loss.

        Args:
            inputs: ``(B, clips, C, T, H, W)`` normalised clips.
            data_samples: B data samples; with ``dare`` each needs ``sample_idx``.

        Returns:
            Log key to scalar float32, each already multiplied by its lambda.

        Raises:
            RuntimeError: if no phase is set, or ``dare`` has no difficulty table.
            ValueError: if a data sample lacks ``sample_idx``, or the clips are of another size.
        """
        clips = inputs.flatten(0, 1)
        view = self.draw_view(clips)
        history = self._read_history(data_samples, inputs.shape[1], clips.device)
        losses, smoothed = self.distill(clips, view, *history[1:])
        if smoothed is not None:
            self._outbox = PatchLosses(history[0], view.masked_index, smoothed.detach())
        return losses

    def distill(
        self, clips: Tensor, view: MaskedView, last: Tensor | None, stage: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """The maths of one iteration: tensors in, tensors out, no state.

        Args:
            clips: ``(B, C, T, H, W)`` normalised clips.
            view: which patches are visible and masked.
            last: ``(B, K, N)`` last smoothed losses of K teachers; None without ``dare``.
            stage: ``(B, K, N)`` smoothed losses at the end of the previous stage; None in a
                phase's first stage.

        Returns:
            The weighted losses, and ``(B, K, M)`` new smoothed losses (None without ``dare``).
        """
        targets = self._teach(clips, view)
        layers = self.neck.student_layers if self.with_neck else ()
        encoded = self.backbone.encode(clips, view.visible_index, layers)
        decoded = {
            name: decoder(encoded.tokens, view.visible_index, view.masked_index)
            for name, decoder in self.decoders.items()
        }
        patch_losses = {
            name: self._distance(decoded[name], view.masked(target.features))
            for name, target in targets.items()
        }
        losses, smoothed = {}, None
        if self.base is not None:
            losses |= {
                f'loss_base_{name}': weight_of(self.base.loss_weight, name) * masked_mean(loss)
                for name, loss in patch_losses.items()
            }
        if self.psd is not None:
            losses |= self._progressive_losses(clips, view, decoded)
        if self.dare is not None:
            difficulty_losses, smoothed = self._difficulty_losses(patch_losses, view, last, stage)
            losses |= difficulty_losses
        if self.with_neck:
            aligned = self.neck(
                encoded.layers,
                {n: t.groups for n, t in targets.items()},
                view.visible_index,
                view.masked_index,
            )
            losses |= {
                f'loss_al_{name}': weight_of(self.neck.loss_weight, name) * value
                for name, value in aligned.items()
            }
        return losses, smoothed

    def _teach(self, clips: Tensor, view: MaskedView) -> dict[str, TeacherOutput]:
        """Targets of both teachers, which see the full clip."""
        if not self.with_neck:
            return {name: teacher(clips) for name, teacher in self.teachers.items()}
        index = self.neck.token_index(view.visible_index, view.masked_index)
        return {
            name: teacher(clips, self.neck.teacher_groups(teacher.depth), index)
            for name, teacher in self.teachers.items()
        }

    def _distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        """``(B, M)`` losses of the patches, for base and DARE."""
        term = self.base or BaseTerm()
        return patch_distance(prediction, target, term.distance, term.channel_reduction)

    def _progressive_losses(
        self, clips: Tensor, view: MaskedView, decoded: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """``L_pg``: 0 in the first phase, later the distance to the auxiliary teacher."""
        if self.auxiliary_teacher is None:
            zero = clips.new_zeros((), dtype=torch.float32)
            return {f'loss_pg_{name}': zero for name in decoded}
        taught = self.auxiliary_teacher(clips, view.aux_visible_index, view.aux_masked_index)
        reduction = (self.base or BaseTerm()).channel_reduction
        return {
            f'loss_pg_{name}': weight_of(self.psd.loss_weight, name)
            * masked_mean(patch_distance(view.aux_masked(x), taught[name], 'l2', reduction))
            for name, x in decoded.items()
        }

    def _difficulty_losses(
        self, patch_losses: dict[str, Tensor], view: MaskedView, last: Tensor, stage: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """``L_df`` of each teacher and the ``(B, K, M)`` smoothed losses behind it."""
        dare, masked = self.dare, view.masked_index
        losses, all_smoothed = {}, []
        for k, (name, patch_loss) in enumerate(patch_losses.items()):
            smoothed = smooth_difficulty(patch_loss, last[:, k].gather(1, masked), dare.alpha)
            if stage is None or not dare.weighting:
                weights = uniform_weights(smoothed, smoothed.shape[1])
            else:
                weights = masked_weights(stage[:, k], masked, dare.tau, dare.difficulty_scale)
            losses[f'loss_df_{name}'] = weight_of(dare.loss_weight, name) * difficulty_loss(
                weights, smoothed, dare.difficulty_scale
            )
            all_smoothed.append(smoothed)
        return losses, torch.stack(all_smoothed, 1)


def _set_precision(teacher: FrozenTeacher, dtype: str | None) -> None:
    if dtype is not None:
        teacher.compute_in(getattr(torch, dtype))
