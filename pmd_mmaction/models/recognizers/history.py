"""What passes between the recognizer and whoever keeps the history of its patches."""

from typing import NamedTuple, Protocol, Sequence

from torch import Tensor


class DifficultySource(Protocol):
    """Where the recognizer reads the history of its patches (``DAREHook`` gives one)."""

    def read(self, sample_idx: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Last smoothed losses and those at the end of the previous stage.

        Returns:
            Two ``(B, K, N)`` float32 CPU tensors for K teachers; the second is None in a
            phase's first stage, where the weights are uniform.
        """


class DifficultySpec(NamedTuple):
    """Size and smoothing of the difficulty table.

    Attributes:
        num_teachers: K.
        num_patches: N.
        alpha: weight of the new loss.
        weighting: whether the values of a stage become weights of the next.
    """

    num_teachers: int
    num_patches: int
    alpha: float
    weighting: bool = True


class PatchLosses(NamedTuple):
    """New smoothed losses on their way to the difficulty table.

    Attributes:
        sample_idx: the B videos.
        masked_index: ``(B, M)`` int64 patches.
        smoothed: ``(B, K, M)`` float32, detached.
    """

    sample_idx: list[int]
    masked_index: Tensor
    smoothed: Tensor
