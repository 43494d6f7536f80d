"""Cross-Layer Feature Alignment (CLFA)."""

import itertools
from typing import Literal, Mapping, Sequence

from mmaction.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from pmd_mmaction.arguments import NonNegative, TokenGrid, Whole, Widths, checked
from pmd_mmaction.functional import GroupStatistics, alignment_distance, layer_groups
from pmd_mmaction.functional.positions import position_table
from pmd_mmaction.models.maskers import View
from pmd_mmaction.models.norm import LAYER_NORM
from pmd_mmaction.models.terms.masked_token_completion import MaskedTokenCompletion
from pmd_mmaction.models.terms.projections import project_layers
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import ChannelReduction, Term


@MODELS.register_module(name=['CLFATerm', 'CLFANeck'])
class CLFATerm(Term):
    """Aligns shallow student layers with medium teacher layers, and medium with deep.

    ``L_al = d(shallow -> medium) + d(medium -> deep)`` for each teacher, with one FC per
    student layer and teacher (not shared) to the teacher's width. With ``align_deepest``,
    ``d(deep -> deep)`` is added.

    Args:
        student_dims: width of the student. The recognizer fills it in.
        student_depth: layers of the student; divisible by 3, or the sum of one of
            ``group_sizes``. The recognizer fills it in.
        token_grid: tokens along (time, height, width). The recognizer fills it in.
        position: encoding of places, for ``'masked'``; the recognizer fills in the student's. In
            place of a learnable one ``'sinusoid_1d'`` is taken.
        teacher_dims: teacher name to width. The recognizer fills it in.
        align_tokens: ``'visible'`` aligns at visible tokens. ``'masked'`` completes each
            student layer at the masked positions first (:class:`MaskedTokenCompletion`).
        student_norm: ``'layer_norm'`` normalises the student's tokens (no affine part) before
            their FC; ``'none'`` uses the block outputs as they are (the literal equation). The
            residual stream of a pre-norm ViT grows with depth, and CLFA's first gradients with it.
        align_deepest: aligns the deep student layers with the deep teacher layers too, which the
            paper leaves to the base loss.
        fc_std: standard deviation of the initial FC weights, 0 for zeros; None uses ``init_cfg``.
        channel_reduction: ``'mean'`` or ``'sum'`` over the teacher's channels.
        group_sizes: triples of (shallow, medium, deep) layer counts; each applies to student and
            teachers whose depth is its sum: ``[(4, 3, 3)]`` for 10 layers. Other encoders are
            divided into thirds.
        **term: arguments of :class:`Term`; ``loss_weight`` is lambda_al.

    Raises:
        ValueError: for an unknown option, a negative weight or a depth that no group divides.
    """

    name = 'al'
    reads_targets = False
    lighter = "student_norm='layer_norm', a smaller fc_std or a smaller loss_weight"

    @checked
    def __init__(
        self,
        student_dims: Whole,
        student_depth: Whole,
        token_grid: TokenGrid,
        teacher_dims: Widths,
        position: Literal['sinusoid_1d', 'sincos_3d', 'learnable'] = 'sinusoid_1d',
        align_tokens: Literal['visible', 'masked'] = 'visible',
        student_norm: Literal['none', 'layer_norm'] = 'none',
        align_deepest: bool = False,
        fc_std: NonNegative | None = None,
        channel_reduction: ChannelReduction = 'mean',
        group_sizes: Sequence[Sequence[int]] = (),
        **term,
    ) -> None:
        super().__init__(**term)
        self.group_sizes = group_sizes
        shallow, medium, deep = layer_groups(student_depth, self.group_sizes)
        self.student_groups = (shallow, medium, deep) if align_deepest else (shallow, medium)
        self.student_layers = tuple(itertools.chain(*self.student_groups))
        self.align_tokens = align_tokens
        self.reads_masked = align_tokens == 'masked'
        self.student_norm = student_norm
        self.fc_std = fc_std
        self.channel_reduction = channel_reduction
        count = len(self.student_layers)
        self.projections = project_layers(student_dims, teacher_dims, count)
        self.completion = None
        if align_tokens == 'masked':
            fixed = 'sinusoid_1d' if position == 'learnable' else position
            self.completion = MaskedTokenCompletion(position_table(fixed, token_grid, student_dims))

    def init_weights(self) -> None:
        """Initialises the FCs and, if there is one, the completion."""
        super().init_weights()
        if self.fc_std is not None:
            for fcs in self.projections.values():
                for fc in fcs:
                    nn.init.normal_(fc.weight, std=self.fc_std)

    def teacher_groups(self, depth: int) -> tuple[range, range]:
        """Medium and deep layers of a teacher: the targets."""
        _, medium, deep = layer_groups(depth, self.group_sizes)
        return medium, deep

    def token_index(self, views: Mapping[str, View]) -> Tensor:
        """The patches at which features are aligned, ``(R, L)``."""
        student = views['student']
        return student.visible if self.align_tokens == 'visible' else student.masked

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_al_<teacher>``."""
        layers = [step.layers[index] for index in self.student_layers]
        if self.completion is not None:
            layers = [self.completion(z, *step.student) for z in layers]
        if self.student_norm == 'layer_norm':
            layers = [layer_norm(z, z.shape[-1:], eps=LAYER_NORM['eps']) for z in layers]
        return {
            f'loss_{self.name}_{name}': self.weight(name) * self.distance(name, layers, groups)
            for name, groups in step.groups[self.name].items()
        }

    def distance(
        self, teacher: str, layers: Sequence[Tensor], groups: tuple[GroupStatistics, ...]
    ) -> Tensor:
        """The distances of the class docstring, summed, of one teacher.

        Args:
            teacher: name of the teacher.
            layers: the student's layers of ``student_layers``, ``(R, L, D)`` each.
            groups: statistics of the teacher's medium and deep layers at the same patches.

        Returns:
            Scalar float32.
        """
        medium, deep = groups
        projected = [fc(z) for fc, z in zip(self.projections[teacher], layers, strict=True)]
        loss = sum(
            alignment_distance([projected[layer] for layer in group], target)
            for group, target in zip(self.student_groups, (medium, deep, deep))
        )
        return loss * medium.mean.shape[-1] if self.channel_reduction == 'sum' else loss
