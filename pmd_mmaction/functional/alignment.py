"""CLFA: distance between student layers and a group of teacher layers."""

from typing import NamedTuple, Sequence

import torch
from torch import Tensor

from pmd_mmaction.arguments import Whole, require


class GroupStatistics(NamedTuple):
    """Statistics over a group of teacher layers that CLFA needs.

    Attributes:
        mean: ``(B, L, D)`` mean over the group's layers.
        spread: ``(B, L)`` mean over the layers of ``||t||^2`` minus ``||mean||^2``,
            divided by ``D``: the channel-averaged variance between the layers, >= 0.
    """

    mean: Tensor
    spread: Tensor


def layer_groups(
    depth: int, group_sizes: Sequence[Sequence[int]] = ()
) -> tuple[range, range, range]:
    """Shallow, medium and deep layers of an encoder, counted from 0.

    Equal thirds: ``depth / 3`` layers each.

    Source: the PMD paper, CLFA: 1-4 / 5-8 / 9-12 of 12 layers, 1-8 / 9-16 / 17-24 of 24.

    Args:
        depth: number of encoder layers.
        group_sizes: triples of layer counts; an encoder whose depth is the sum of a triple is
            split accordingly instead of into thirds.

    Raises:
        ValueError: if ``depth`` is neither divisible by 3 nor the sum of a triple, or for
            ``group_sizes`` that are not triples of positive integers.

    Example:
        >>> layer_groups(12)
        (range(0, 4), range(4, 8), range(8, 12))
        >>> layer_groups(10, group_sizes=[(3, 3, 4)])
        (range(0, 3), range(3, 6), range(6, 10))
    """
    if isinstance(group_sizes, str) or not isinstance(group_sizes, Sequence):
        group_sizes = [group_sizes]
    for sizes in group_sizes:
        if isinstance(sizes, str) or not isinstance(sizes, Sequence) or len(sizes) != 3:
            raise ValueError(
                f'group_sizes holds {sizes!r}; it must be triples of whole numbers, numbers of '
                '(shallow, medium, deep) layers'
            )
        shallow, medium, deep = sizes
        require('group_sizes', Whole, shallow=shallow, medium=medium, deep=deep)
        if shallow + medium + deep == depth:
            return range(shallow), range(shallow, depth - deep), range(depth - deep, depth)
    if depth < 3 or depth % 3:
        raise ValueError(
            f'an encoder of {depth} layers has no equal thirds: CLFA needs a depth divisible by 3, '
            f'or group_sizes with three numbers whose sum is {depth}'
        )
    third = depth // 3
    return range(third), range(third, 2 * third), range(2 * third, depth)


class RunningStatistics:
    """Accumulates :class:`GroupStatistics` layer by layer, so that no layer is stored.

    Source: ``mean ||t||^2 - ||mean t||^2``; docs/interpretation.md, "Closed form".

    Example:
        >>> import torch
        >>> running = RunningStatistics()
        >>> running.add(torch.zeros(1, 1, 2))
        >>> running.add(torch.full((1, 1, 2), 2.0))
        >>> running.result()
        GroupStatistics(mean=tensor([[[1., 1.]]]), spread=tensor([[1.]]))
    """

    def __init__(self) -> None:
        self.count = 0
        self.total: Tensor | None = None
        self.square: Tensor | None = None

    def add(self, features: Tensor) -> None:
        """Adds one layer, ``(B, L, D)`` of any float dtype."""
        features = features.float()
        square = features.square().mean(-1)
        self.total = features if self.total is None else self.total + features
        self.square = square if self.square is None else self.square + square
        self.count += 1

    def result(self) -> GroupStatistics:
        """Statistics of the layers added so far.

        Raises:
            ValueError: if there are none.
        """
        if self.total is None or self.square is None:
            raise ValueError('a group without layers has no statistics')
        mean = self.total / self.count
        spread = self.square / self.count - mean.square().mean(-1)
        # Rounding may leave -1e-8 where all layers agree.
        return GroupStatistics(mean, spread.clamp_min(0))


def alignment_distance(projections: Sequence[Tensor], group: GroupStatistics) -> Tensor:
    """Distance ``d^{H->M} = 1/(|H||M|) sum_{ns in H} sum_{nt in M} ||FC(z_ns) - z_nt||^2``.

    Channels and tokens are averaged. The inner mean has the closed form
    ``||FC(z) - mean||^2 + spread``, exact in value and gradient, so the cost does not
    grow with the number of teacher layers.

    Source: the PMD paper, ``d^{H->M}`` (CLFA).

    Args:
        projections: a tensor per layer of H, ``(B, L, D)``: student layers after their FC.
        group: statistics of the teacher's layers at the same tokens.

    Returns:
        Scalar float32.

    Example:
        >>> import torch
        >>> teacher = RunningStatistics()
        >>> for value in (0.0, 2.0):
        ...     teacher.add(torch.full((1, 1, 2), value))
        >>> alignment_distance([torch.full((1, 1, 2), 3.0)], teacher.result())
        tensor(5.)
        >>> ((3 - 0) ** 2 + (3 - 2) ** 2) / 2  # the double sum
        5.0
    """
    distances = [(z.float() - group.mean).square().mean() for z in projections]
    return torch.stack(distances).mean() + group.spread.mean()
