"""The base term: distillation from the teachers."""

from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.functional import masked_mean
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import PatchTerm


@MODELS.register_module()
class BaseTerm(PatchTerm):
    """``L_base = sum over teachers of 1/N_M sum_{p in M} ||x_p - x'_p||^2``.

    Args:
        **term: arguments of :class:`PatchTerm`; ``loss_weight`` is lambda_base.
    """

    name = 'base'

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_base_<teacher>``."""
        return {
            f'loss_{self.name}_{name}': self.weight(name)
            * masked_mean(patch_loss, step.student.counted)
            for name, patch_loss in self.patch_losses(step).items()
        }
