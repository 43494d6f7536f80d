"""The curriculum as a pure function of the epoch: the phases of PSD, the stages of DARE."""

from typing import Mapping, NamedTuple, Sequence

from pmd_mmaction.arguments import Ratio, Whole, require, require_keys


class Phase(NamedTuple):
    """A mask ratio and the epochs trained with it.

    Attributes:
        index: index of the phase, from 0.
        mask_ratio: fraction of the patches that are masked, in (0, 1).
        begin: first epoch, from 0.
        end: one past the last epoch.
    """

    index: int
    mask_ratio: float
    begin: int
    end: int


class PhaseSchedule:
    """Consecutive phases of a training run.

    Source: the PMD paper, progressive student distillation: mask ratios 0.75, 0.80, 0.85 and
        0.90, 100 epochs each.

    Args:
        phases: pairs (mask ratio, epochs).
        allow_decreasing: accept a ratio below the one before it.

    Raises:
        ValueError: for an empty list, a ratio outside (0, 1), a number of epochs below 1
            or a falling ratio that is not allowed.

    Example:
        >>> schedule = PhaseSchedule([(0.75, 100), (0.9, 100)])
        >>> schedule.at(150)
        Phase(index=1, mask_ratio=0.9, begin=100, end=200)
    """

    def __init__(self, phases: Sequence[tuple[float, int]], allow_decreasing: bool = False) -> None:
        if not phases:
            raise ValueError('phases is empty; give at least one dict(mask_ratio=..., epochs=...)')
        self.phases: list[Phase] = []
        begin = 0
        for index, (ratio, epochs) in enumerate(phases):
            where = f'phase {index + 1}'
            require(where, Ratio, mask_ratio=ratio)
            require(where, Whole, epochs=epochs)
            if self.phases and ratio < self.phases[-1].mask_ratio and not allow_decreasing:
                raise ValueError(
                    f'phase {index + 1}: mask_ratio falls from {self.phases[-1].mask_ratio} to '
                    f'{ratio}; PMD goes from easy to hard. Set allow_decreasing=True if meant'
                )
            self.phases.append(Phase(index, float(ratio), begin, begin + epochs))
            begin += epochs

    @classmethod
    def of_config(cls, phases: object, allow_decreasing: bool = False) -> 'PhaseSchedule':
        """Builds the schedule from the ``phases`` of a config.

        Args:
            phases: one ``dict(mask_ratio=..., epochs=...)`` or pair ``(mask_ratio, epochs)`` each.
            allow_decreasing: accept a ratio below the one before it.

        Raises:
            TypeError: for a phase with an unknown or missing key.
            ValueError: if ``phases`` is not a list, or as for the class.
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

    @classmethod
    def of_hook(cls, hook: Mapping) -> 'PhaseSchedule':
        """Builds the schedule from a ``ProgressivePhaseHook``'s config, as :meth:`of_config`."""
        return cls.of_config(hook.get('phases'), hook.get('allow_decreasing', False))

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
    """Stage of an epoch within its phase: ``floor((epoch - begin) / stage_epochs)``.

    Source: the PMD paper, DARE: the epochs of a phase are divided into stages, of 32 epochs each.

    Args:
        epoch: epoch of the run, from 0, inside ``phase``.
        phase: the phase that the epoch belongs to.
        stage_epochs: epochs per stage, >= 1.

    Returns:
        Index of the stage, from 0. The last stage of a phase may be shorter.

    Example:
        >>> phase = Phase(index=1, mask_ratio=0.8, begin=100, end=200)
        >>> [stage_of(epoch, phase, 32) for epoch in (100, 131, 132, 199)]
        [0, 0, 1, 3]
    """
    return (epoch - phase.begin) // stage_epochs
