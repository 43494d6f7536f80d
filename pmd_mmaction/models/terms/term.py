"""Base classes of the terms of the total loss."""

from typing import Annotated, Mapping

from mmengine.model import BaseModule
from torch import Tensor

from pmd_mmaction.arguments import Configs, NonNegative, Text, Texts, checked, one_of, require
from pmd_mmaction.functional.patch_loss import CHANNEL_REDUCTIONS, DISTANCES
from pmd_mmaction.models.initialization import VIT_INIT
from pmd_mmaction.models.maskers import View
from pmd_mmaction.models.terms.step import Step

LossWeight = float | Mapping[str, float]
Distance = Annotated[str, one_of(DISTANCES)]
ChannelReduction = Annotated[str, one_of(CHANNEL_REDUCTIONS)]


class Term(BaseModule):
    """One term of the total loss: the tensors of a step in, named losses out.

    A term has no state but its parameters. It declares what it needs in the attributes below, and
    the recognizer computes only that. Arguments named ``student_dims``,
    ``student_depth``, ``num_patches``, ``token_grid``, ``position`` and ``teacher_dims`` (name to
    width) are filled in by the recognizer where a subclass has them.

    Args:
        loss_weight: factor of the term, >= 0, or a dict of teacher name to factor.
        name: name of the term in the log, ``loss_<name>_<teacher>``; None: the class's default.
        teachers: names of the teachers it learns from; None: all.
        init_cfg: mmengine initialisation of the term's own layers; None: Xavier, as the encoder.

    Attributes:
        name: see above.
        decodes: whether it reads predictions at masked patches.
        reads_targets: whether it reads the features of a teacher's last layer; without, the teacher
            stops at the last of ``teacher_groups``.
        reads_masked: whether it reads teachers at all masked patches without decoding.
        single: whether a model may have one such term at most.
        needs_auxiliary: whether it reads the predictions of the auxiliary teacher.
        student_layers: layers of the student (from 0) that it reads.
        lighter: what makes it pull less at the encoder, for the warning of ``TermBalanceHook``.

    Raises:
        ValueError: for a negative weight, no name, or an empty list of teachers.
    """

    name: str
    lighter = 'a smaller loss_weight'
    decodes = False
    reads_targets = True
    reads_masked = False
    single = False
    needs_auxiliary = False
    student_layers: tuple[int, ...] = ()

    @checked
    def __init__(
        self,
        loss_weight: LossWeight = 1.0,
        name: Text | None = None,
        teachers: Texts | None = None,
        init_cfg: Configs | None = None,
    ) -> None:
        super().__init__(VIT_INIT if init_cfg is None else init_cfg)
        if isinstance(loss_weight, Mapping):
            own = {f'loss_weight.{key}': weight for key, weight in loss_weight.items()}
            require(self, NonNegative, **own)
        else:
            require(self, NonNegative, loss_weight=loss_weight)
        if name is not None:
            self.name = name
        if not hasattr(self, 'name'):
            raise ValueError(
                f"{type(self).__name__}: it has no name for the log: write name = '...' in the "
                'class, or give name=...'
            )
        if teachers is not None:
            teachers = [teachers] if isinstance(teachers, str) else list(teachers)
            if not teachers:
                raise ValueError(
                    f'{type(self).__name__}: teachers is empty; name one, or leave it out for all'
                )
        self.loss_weight = loss_weight
        self.teachers = teachers

    def weight(self, teacher: str) -> float:
        """The factor of the loss of a teacher."""
        return self.loss_weight[teacher] if self.weighted_by_name else self.loss_weight

    @property
    def weighted_by_name(self) -> bool:
        """Whether each teacher has its own factor."""
        return isinstance(self.loss_weight, Mapping)

    def teacher_groups(self, depth: int) -> tuple[range, ...]:
        """Groups of teacher layers (from 0) whose statistics it reads; none of them is empty.

        Args:
            depth: layers of the teacher.

        Raises:
            ValueError: if a teacher of this depth does not have them.
        """
        return ()

    def token_index(self, views: Mapping[str, View]) -> Tensor | None:
        """``(R, L)`` patches to read the statistics at; None: all that the teacher sees."""
        return None

    def generated(self, step: Step) -> dict[str, tuple[Tensor, Tensor]]:
        """What it predicts itself at patches that the student does not see, for the diagnosis.

        Teacher name to two ``(R, M, D)`` tensors, the predictions and the teacher's features;
        empty for a term that reads ``step.decoded``.
        """
        return {}

    def forward(self, step: Step) -> dict[str, Tensor]:
        """Log key to scalar float32, each already multiplied by ``loss_weight``.

        Keys begin with ``loss_``: MMEngine sums these.
        """
        raise NotImplementedError(f'{type(self).__name__} has no forward(step)')


class PatchTerm(Term):
    """A term made of a loss per masked patch and teacher.

    Args:
        distance: ``'l2'`` or ``'smooth_l1'`` (MVD).
        channel_reduction: ``'mean'`` or ``'sum'`` over the teacher's channels.
        **term: arguments of :class:`Term`.
    """

    decodes = True

    @checked
    def __init__(
        self,
        distance: Distance = 'l2',
        channel_reduction: ChannelReduction = 'mean',
        **term,
    ) -> None:
        super().__init__(**term)
        self.distance = distance
        self.channel_reduction = channel_reduction

    def patch_losses(self, step: Step) -> dict[str, Tensor]:
        """Teacher name to the ``(R, M)`` losses of the masked patches."""
        return {
            name: step.patch_loss(name, self.distance, self.channel_reduction)
            for name in (self.teachers or step.decoded)
        }


def add_losses(total: dict[str, Tensor], term: Term, losses: Mapping[str, Tensor]) -> None:
    """Adds the losses of a term to those of the previous terms.

    Args:
        total: log key to scalar; modified in place.
        term: the term, for messages.
        losses: result of its forward pass.

    Raises:
        ValueError: for a value that MMEngine would not add to the total, or a key that another
            term uses.
    """
    for key, loss in losses.items():
        if not key.startswith('loss_'):
            raise ValueError(
                f'{type(term).__name__} returns {key!r}: call it loss_{key}, else it is logged but '
                'not trained on'
            )
        if not isinstance(loss, Tensor) or loss.ndim:
            found = f'shape {tuple(loss.shape)}' if isinstance(loss, Tensor) else type(loss)
            raise ValueError(f'{type(term).__name__} returns {key} of {found}; it must be a scalar')
        if key in total:
            raise ValueError(
                f'two terms return {key}: build the key from self.name, and give one of them '
                'another name=...'
            )
        total[key] = loss
