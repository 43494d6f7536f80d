"""The curriculum as a pure function of the epoch (paper: PSD phases, DARE stages)."""

from typing import Mapping, NamedTuple, Sequence

from pmd_mmaction.arguments import require_keys, require_number, require_whole


class Phase(NamedTuple):
    """One mask ratio and its epochs.

    Attributes:
        index: number of the phase, from 0.
        mask_ratio: share of the patches that is masked, in (0, 1).
        begin: first epoch, from 0.
        end: the epoch after the last one.
    """

    index: int
    mask_ratio: float
    begin: int
    end: int


class PhaseSchedule:
    """Phases one after the other.

    Args:
        phases: pairs (mask ratio, epochs).
        allow_decreasing: accept a ratio below the one before it.

    Raises:
        ValueError: for an empty list, a ratio outside (0, 1), a number of epochs below 1
            or a falling ratio that is not allowed.
    """

    def __init__(self, phases: Sequence[tuple[float, int]], allow_decreasing: bool = False) -> None:
        if not phases:
            raise ValueError('phases is empty; give at least one dict(mask_ratio=..., epochs=...)')
        self.phases: list[Phase] = []
        begin = 0
        for index, (ratio, epochs) in enumerate(phases):
            where = f'phase {index + 1}'
            require_number(where, above=0, below=1, mask_ratio=ratio)
            require_whole(where, epochs=epochs)
            if self.phases and ratio < self.phases[-1].mask_ratio and not allow_decreasing:
                raise ValueError(
                    f'phase {index + 1}: mask_ratio falls from {self.phases[-1].mask_ratio} to '
                    f'{ratio}; PMD goes from easy to hard. Set allow_decreasing=True if meant'
                )
            self.phases.append(Phase(index, float(ratio), begin, begin + epochs))
            begin += epochs

    @classmethod
    def of_config(cls, phases: object, allow_decreasing: bool = False) -> 'PhaseSchedule':
        """The phases as a config says them.

        Args:
            phases: one ``dict(mask_ratio=..., epochs=...)`` or pair ``(mask_ratio, epochs)`` each.
            allow_decreasing: accept a ratio below the one before it.

        Raises:
            TypeError: for a phase with an unknown or missing key.
            ValueError: for what is no list, or phases that make no sense.
        """
        if isinstance(phases, (str, Mapping)) or not isinstance(phases, Sequence):
            raise ValueError(
                f'phases is {phases!r}; it must be a list of dict(mask_ratio=..., epochs=...) or '
                'pairs (mask_ratio, epochs)'
            )
        pairs, keys = [], ('mask_ratio', 'epochs')
        for index, phase in enumerate(phases):
            if isinstance(phase, (list, tuple)) and len(phase) == 2:
                phase = dict(zip(keys, phase))
            require_keys('phases', keys, keys, **{f'phase {index + 1}': phase})
            pairs.append((phase['mask_ratio'], phase['epochs']))
        return cls(pairs, allow_decreasing)

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases together."""
        return self.phases[-1].end

    def at(self, epoch: int) -> Phase:
        """The phase to which an epoch (from 0) belongs; the last one after the end."""
        for phase in self.phases:
            if epoch < phase.end:
                return phase
        return self.phases[-1]


def stage_of(epoch: int, phase: Phase, stage_epochs: int) -> int:
    """Stage (from 0) of an epoch inside its phase; the last stage may be shorter."""
    return (epoch - phase.begin) // stage_epochs
