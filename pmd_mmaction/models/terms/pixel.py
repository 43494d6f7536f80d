"""Reconstruction of pixels (MAE, VideoMAE)."""

from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.functional import masked_mean
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import PatchTerm


@MODELS.register_module()
class PixelTerm(PatchTerm):
    """Mean squared error of the masked patches' pixels; the target is a :class:`PixelTeacher`.

    Args:
        teacher: name of the pixel teacher.
        **term: arguments of :class:`PatchTerm`.
    """

    name = 'pixel'

    def __init__(self, teacher: str = 'pixel', **term) -> None:
        super().__init__(teachers=[teacher], **term)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_pixel``."""
        ((teacher, patch_loss),) = self.patch_losses(step).items()
        loss = masked_mean(patch_loss, step.student.counted)
        return {f'loss_{self.name}': self.weight(teacher) * loss}
