"""Progressive Student Distillation (PSD): the student of the previous phase teaches."""

from typing import Literal

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import checked
from pmd_mmaction.functional import gather_tokens, masked_mean, patch_distance
from pmd_mmaction.models.maskers import positions_within
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import ChannelReduction, LossWeight, Term

TeacherDtype = Literal[None, 'bfloat16', 'float16']


@MODELS.register_module()
class PSDTerm(Term):
    """``L_pg``: the squared distance to the decoded features of the auxiliary teacher.

    It is 0 in the first phase, which has no auxiliary teacher.

    Args:
        loss_weight: lambda_pg, or one for each teacher.
        aux_mask: ``'same'``: the auxiliary teacher sees the student's visible patches.
            ``'nested'``: it keeps the lower ratio of its own phase, its visible patches
            contain the student's, and the loss runs over its own masked patches.
        aux_dtype: ``'bfloat16'`` or ``'float16'`` for the matrix products of the auxiliary teacher;
            None: the recognizer's ``teacher_dtype``.
        channel_reduction: ``'mean'`` or ``'sum'`` over the teacher's channels.
        **term: arguments of :class:`Term`.
    """

    name = 'pg'
    single = True
    decodes = True
    needs_auxiliary = True

    @checked
    def __init__(
        self,
        loss_weight: LossWeight = 0.05,
        aux_mask: Literal['same', 'nested'] = 'same',
        aux_dtype: TeacherDtype = None,
        channel_reduction: ChannelReduction = 'mean',
        **term,
    ) -> None:
        super().__init__(loss_weight, **term)
        self.aux_mask = aux_mask
        self.aux_dtype = aux_dtype
        self.channel_reduction = channel_reduction

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_pg_<teacher>``."""
        names = self.teachers or step.decoded
        if step.auxiliary is None:
            zero = torch.zeros((), device=step.student.masked.device)
            return {f'loss_{self.name}_{name}': zero for name in names}
        losses = {}
        for name in names:
            decoded, taught = step.decoded[name], step.auxiliary[name]
            if step.views['auxiliary'] is not step.student:
                decoded = gather_tokens(decoded, self._places(step))
            patch_loss = patch_distance(decoded, taught, 'l2', self.channel_reduction)
            loss = masked_mean(patch_loss, step.views['auxiliary'].counted)
            losses[f'loss_{self.name}_{name}'] = self.weight(name) * loss
        return losses

    @staticmethod
    def _places(step: Step) -> Tensor:
        """``(R, M')`` positions of the auxiliary teacher's masked patches among the student's."""
        student = step.student
        num_patches = student.visible.shape[1] + student.masked.shape[1]
        return positions_within(step.views['auxiliary'].masked, student.masked, num_patches)
