"""Alignment of one student layer with one teacher layer on the unit sphere (DMAE)."""

from typing import Mapping

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor, nn

from pmd_mmaction.arguments import Count, Whole, Widths, checked
from pmd_mmaction.models.maskers import View
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import Term


@MODELS.register_module()
class UnitAlignmentTerm(Term):
    """``L_align = mean |t / ||t|| - FC(z) / ||FC(z)|| |`` at the visible patches (DMAE).

    ``z`` are the tokens of a student layer, ``t`` those of a teacher layer; the mean runs over
    clips, visible patches and channels. In DMAE, a method for images, teacher and student see the
    same patches (``view='student'`` of the teacher), and the mean includes the class
    token. Carried over to clips: the equation, the layers and the projection; not the class token,
    which video transformers do not have.

    Args:
        student_dims: width of the student. The recognizer fills it in.
        student_depth: layers of the student. The recognizer fills it in.
        teacher_dims: teacher name to width. The recognizer fills it in.
        student_layer: layer of the student, from 0; None: the one at three quarters of its depth
            (8 of 12), as DMAE.
        teacher_layer: layer of each teacher, from 0; None: likewise (17 of 24).
        **term: arguments of :class:`Term`.

    Raises:
        ValueError: naming the argument that makes no sense.
    """

    name = 'align'
    reads_targets = False

    @checked
    def __init__(
        self,
        student_dims: Whole,
        student_depth: Whole,
        teacher_dims: Widths,
        student_layer: Count | None = None,
        teacher_layer: Count | None = None,
        **term,
    ) -> None:
        super().__init__(**term)
        self.student_layers = (_three_quarters(student_depth, student_layer),)
        self.teacher_layer = teacher_layer
        self.projections = ModuleDict(
            {name: nn.Linear(student_dims, dims) for name, dims in teacher_dims.items()}
        )

    def teacher_groups(self, depth: int) -> tuple[range, ...]:
        """The one layer of a teacher."""
        layer = _three_quarters(depth, self.teacher_layer)
        return (range(layer, layer + 1),)

    def token_index(self, views: Mapping[str, View]) -> Tensor:
        """The patches that the student sees, ``(R, V)``."""
        return views['student'].visible

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_align_<teacher>``."""
        (layer,) = self.student_layers
        losses = {}
        for name, (group,) in step.groups[self.name].items():
            ours = F.normalize(self.projections[name](step.layers[layer]).float(), dim=-1)
            theirs = F.normalize(group.mean.float(), dim=-1)
            losses[f'loss_{self.name}_{name}'] = self.weight(name) * (theirs - ours).abs().mean()
        return losses


def _three_quarters(depth: int, layer: int | None) -> int:
    """The layer that is asked for, or the one at three quarters of the depth."""
    return max(0, 3 * depth // 4 - 1) if layer is None else layer
