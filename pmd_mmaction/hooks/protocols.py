"""What hooks call on a training loop and on each other."""

from typing import Protocol, runtime_checkable

from pmd_mmaction.functional import PhaseSchedule


@runtime_checkable
class OpenEndedLoop(Protocol):
    """A training loop whose length may follow from the phases (``ResumableTrainLoop``)."""

    def take_epochs(self, epochs: int) -> None:
        """Sets the length of the run unless the config gives it."""


@runtime_checkable
class Curriculum(Protocol):
    """A hook that leads through phases (``ProgressivePhaseHook``)."""

    phases: PhaseSchedule
