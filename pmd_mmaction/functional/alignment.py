"""CLFA: distance between a student layer and a group of teacher layers (key design 3)."""

from typing import Iterable, NamedTuple, Sequence

import torch
from torch import Tensor

from pmd_mmaction.arguments import require_whole


class GroupStatistics(NamedTuple):
    """What CLFA needs of a group of teacher layers at some tokens.

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

    Thirds as in the paper: 12 layers are 0-3 / 4-7 / 8-11, 24 layers 0-7 / 8-15 / 16-23.

    Args:
        depth: layers of the encoder.
        group_sizes: triples of layer counts that replace the thirds of every encoder whose depth
            is their sum.

    Raises:
        ValueError: if ``depth`` has neither thirds nor a triple, or a triple is none.
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
        require_whole('group_sizes', shallow=shallow, medium=medium, deep=deep)
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
    """Accumulates :class:`GroupStatistics` layer by layer, so that no layer is stored."""

    def __init__(self) -> None:
        self.count = 0
        self.total: Tensor | None = None
        self.square: Tensor | None = None

    def add(self, features: Tensor) -> None:
        """Takes one layer, ``(B, L, D)``."""
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


def summarize_layers(layers: Iterable[Tensor]) -> GroupStatistics:
    """Statistics of the given ``(B, L, D)`` layers.

    Raises:
        ValueError: if there are none.
    """
    running = RunningStatistics()
    for features in layers:
        running.add(features)
    return running.result()


def alignment_distance(projections: Sequence[Tensor], group: GroupStatistics) -> Tensor:
    """``d^{H->M} = 1/(|H||M|) sum_{ns in H} sum_{nt in M} ||FC(z_ns) - z_nt||^2``.

    Channels and tokens are averaged. The inner sum has the closed form
    ``||FC(z) - mean||^2 + spread``, exact in value and gradient, so the cost does not
    grow with the number of teacher layers.

    Args:
        projections: a tensor per layer of H, ``(B, L, D)``: student layers after their FC.
        group: statistics of the teacher's layers at the same tokens.

    Returns:
        Scalar float32.
    """
    distances = [(z.float() - group.mean).square().mean() for z in projections]
    return torch.stack(distances).mean() + group.spread.mean()
