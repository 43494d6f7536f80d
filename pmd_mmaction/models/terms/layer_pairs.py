"""Alignment of pairs of layers, and generation of the features beyond (AMD)."""

from typing import Annotated, Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import ModuleDict, ModuleList
from torch import Tensor

from pmd_mmaction.arguments import Check, NonNegative, Options, TokenGrid, Whole, Widths, checked
from pmd_mmaction.functional import gather_tokens, masked_mean, patch_distance, split_mask
from pmd_mmaction.models.heads import FeatureGenerator
from pmd_mmaction.models.maskers import is_among, positions_within
from pmd_mmaction.models.terms.projections import project_layers
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import Distance, Term

Compared = list[tuple[Tensor, Tensor]]  # per pair of layers the student's and the teacher's side


def _is_pair(pair: object) -> bool:
    listed = isinstance(pair, (list, tuple)) and len(pair) == 2
    return listed and all(isinstance(layer, int) and layer >= 0 for layer in pair)


PAIRS = Check(
    'a list of (student layer, teacher layer), both counted from 0, such as [(5, 11), (11, 23)]',
    lambda value: isinstance(value, (list, tuple)) and value and all(map(_is_pair, value)),
)


@MODELS.register_module()
class LayerPairTerm(Term):
    """Layers of the student against layers of a teacher that sees more of the clip (AMD).

    ``L_direct = mean over pairs and visible patches of ||W_i z_p - t_p||^2``, with one linear layer
    ``W_i`` per pair. ``L_generation``: from the same projections a :class:`FeatureGenerator` per
    pair makes the features of the patches that the teacher sees and the student does not, and is
    compared with the same teacher layer there. Channels are averaged. (Asymmetric Masked
    Distillation for Pre-Training Small Foundation Models, CVPR 2024, equations of direct and
    generation alignment.)

    Args:
        student_dims: width of the student. The recognizer fills it in.
        token_grid: tokens along (time, height, width). The recognizer fills it in.
        teacher_dims: teacher name to width. The recognizer fills it in.
        pairs: (student layer, teacher layer), both counted from 0.
        generator: arguments of :class:`FeatureGenerator`, such as ``dict(depth=2)``; None: no
            generation.
        generation_weight: factor of the generation loss beside ``loss_weight``, which is that of
            the direct one, at least 0.
        distance: ``'l2'`` or ``'smooth_l1'``.
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
        token_grid: TokenGrid,
        teacher_dims: Widths,
        pairs: Annotated[Sequence[tuple[int, int]], PAIRS],
        generator: Options | None = None,
        generation_weight: NonNegative = 1.0,
        distance: Distance = 'l2',
        **term,
    ) -> None:
        super().__init__(**term)
        self.pairs = tuple(map(tuple, pairs))
        self.student_layers = tuple(sorted({layer for layer, _ in self.pairs}))
        self.generation_weight = generation_weight
        self.distance = distance
        self.num_patches = token_grid[0] * token_grid[1] * token_grid[2]
        count = len(self.pairs)
        self.projections = project_layers(student_dims, teacher_dims, count, bias=False)
        self.generators = None
        if generator is not None:
            self.generators = ModuleDict(
                {
                    name: ModuleList(
                        FeatureGenerator(dims, token_grid, **generator) for _ in self.pairs
                    )
                    for name, dims in teacher_dims.items()
                }
            )

    def teacher_groups(self, depth: int) -> tuple[range, ...]:
        """The teacher's layer of each pair."""
        return tuple(range(layer, layer + 1) for _, layer in self.pairs)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_align_direct_<teacher>`` and ``loss_align_generation_<teacher>``."""
        losses = {}
        for name in step.groups[self.name]:
            direct, generation = self._pairs(step, name)
            weight = self.weight(name)
            losses[f'loss_{self.name}_direct_{name}'] = weight * self._error(direct)
            if generation:
                weight = weight * self.generation_weight
                losses[f'loss_{self.name}_generation_{name}'] = weight * self._error(generation)
        return losses

    def generated(self, step: Step) -> dict[str, tuple[Tensor, Tensor]]:
        """The features of the last pair that the generator makes."""
        if self.generators is None:
            return {}
        return {name: self._pairs(step, name)[1][-1] for name in step.groups[self.name]}

    def _pairs(self, step: Step, name: str) -> tuple[Compared, Compared]:
        """What is compared with a teacher: at the student's visible patches, and at the others."""
        return step.once((self.name, name), lambda: self._compare(step, name))

    def _compare(self, step: Step, name: str) -> tuple[Compared, Compared]:
        seen = step.seen.get(name)
        known, beyond = self._split(step.student.visible, seen)
        if self.generators is not None and not beyond.shape[1]:
            raise ValueError(
                f'LayerPairTerm: the teacher {name} sees no more than the student, so there is '
                'nothing to generate: lower the mask_ratio of its view, raise that of the '
                'phase, or leave out generator'
            )
        patches = beyond if seen is None else seen.gather(1, beyond)
        direct, generation = [], []
        for index, (layer, _) in enumerate(self.pairs):
            taught = step.groups[self.name][name][index].mean
            projected = self.projections[name][index](step.layers[layer])
            direct.append((projected, gather_tokens(taught, known)))
            if self.generators is not None:
                made = self.generators[name][index](projected, step.student.visible, patches)
                generation.append((made, gather_tokens(taught, beyond)))
        return direct, generation

    def _split(self, visible: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        """What a teacher sees, as places in it: the student's visible patches, and the others."""
        if seen is None:
            seen = torch.arange(self.num_patches, device=visible.device).expand(len(visible), -1)
        known = positions_within(visible, seen, self.num_patches)
        _, beyond = split_mask(~is_among(seen, visible), visible.shape[1])
        return known, beyond

    def _error(self, compared: Compared) -> Tensor:
        errors = [masked_mean(patch_distance(*pair, self.distance)) for pair in compared]
        return torch.stack(errors).mean()
