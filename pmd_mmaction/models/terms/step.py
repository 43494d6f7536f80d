"""The tensors of one training iteration, computed once for all terms of the loss."""

from dataclasses import dataclass, field
from typing import Any, Callable, Hashable, Mapping, NamedTuple

from torch import Tensor

from pmd_mmaction.functional import GroupStatistics, patch_distance
from pmd_mmaction.models.maskers import View


class History(NamedTuple):
    """Smoothed losses of the batch's videos, read from the difficulty table.

    Attributes:
        last: ``(B, K, N)`` float32, the latest for K teachers; 0 where never masked.
        stage: ``(B, K, N)`` float32, those at the end of the previous stage; None while
            there was none.
    """

    last: Tensor
    stage: Tensor | None


@dataclass(frozen=True)
class Step:
    """The tensors of an iteration with R masks of B clips.

    Attributes:
        views: name to view; ``'student'`` is always there.
        targets: teacher name to its ``(B, N, D)`` features of all patches, or ``(R, V', D)`` of
            those it sees.
        groups: term name to teacher name to the statistics that the term requested.
        layers: student layer (from 0) to its ``(R, V, D)`` tokens, where a term requested them.
        decoded: teacher name to ``(R, M, D)`` predictions at the student's masked patches.
        seen: teacher name to the ``(R, V')`` patches it sees, for those that see a view.
        auxiliary: teacher name to ``(R, M', D)`` predictions of the auxiliary teacher at the
            masked patches of the view ``'auxiliary'``; None in the first phase.
        history: smoothed losses of the patches; None without DARE.
        tokens: ``(R, V, D)`` output of the encoder.
    """

    views: Mapping[str, View]
    targets: Mapping[str, Tensor]
    groups: Mapping[str, Mapping[str, tuple[GroupStatistics, ...]]]
    layers: Mapping[int, Tensor]
    decoded: Mapping[str, Tensor]
    seen: Mapping[str, Tensor] = field(default_factory=dict)
    auxiliary: Mapping[str, Tensor] | None = None
    history: History | None = None
    tokens: Tensor | None = None
    _known: dict = field(default_factory=dict, repr=False)

    @property
    def student(self) -> View:
        """The patches that the student sees and decodes."""
        return self.views['student']

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """What ``compute`` returns, computed once for all that ask by this key."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def patch_loss(self, teacher: str, distance: str, channel_reduction: str) -> Tensor:
        """``(R, M)`` losses of the masked patches, computed once for all terms that use them."""

        def compute() -> Tensor:
            target = self.student.at_masked(self.targets[teacher])
            return patch_distance(self.decoded[teacher], target, distance, channel_reduction)

        return self.once((teacher, distance, channel_reduction), compute)
