"""Protocols between models, hooks and loops, and the tuples that pass between them.

Models and hooks do not import each other: a hook works with every model that has the methods of a
protocol below, whatever its class.

Since Python 3.12 ``isinstance`` does not see what ``nn.Module.__getattr__`` finds. So a protocol
names submodules in its docstring only.
"""

from collections.abc import Iterator
from typing import Any, Mapping, NamedTuple, Protocol, Sequence, TypeVar, runtime_checkable

from torch import Tensor

from pmd_mmaction.functional import Phase, PhaseSchedule

# ---------------------------------------------------------------------- the difficulty table


class DifficultySpec(NamedTuple):
    """Size and smoothing of the difficulty table.

    Attributes:
        num_teachers: number of teachers K.
        num_patches: number of patches N.
        alpha: weight of the new loss.
        weighting: whether the values of a stage become weights in the next one.
        token_grid: tokens along (time, height, width), N together.
    """

    num_teachers: int
    num_patches: int
    alpha: float
    weighting: bool = True
    token_grid: tuple[int, int, int] | None = None


class PatchLosses(NamedTuple):
    """New smoothed losses on their way to the difficulty table.

    Attributes:
        sample_idx: the video of each of the R masks.
        masked_index: ``(R, M)`` int64 patches.
        smoothed: ``(R, K, M)`` float32, detached.
    """

    sample_idx: list[int]
    masked_index: Tensor
    smoothed: Tensor


class Diagnosis(NamedTuple):
    """How one iteration went, detached and on the device.

    Attributes:
        features: ``(B, D)`` student features, mean over the visible tokens and the masks of a clip.
        explained: log key to scalar.
    """

    features: Tensor
    explained: dict[str, Tensor]


class DifficultySource(Protocol):
    """Source of the patches' history for a model (provided by ``DAREHook``).

    Attributes:
        by_place: whether a row covers the whole frame, out of which the model gathers what each
            crop shows (``crop_box`` of its data sample).
    """

    by_place: bool

    def read(self, sample_idx: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Reads the last smoothed losses and those at the end of the previous stage.

        Returns:
            Two ``(B, K, N)`` float32 CPU tensors for K teachers; the second is None while no
            stage has ended, where the weights are uniform.
        """


@runtime_checkable
class ListedFiles(Protocol):
    """A data set that tells its files faster than sample by sample."""

    def file_names(self) -> Iterator[str]:
        """The file of each sample, in the order of ``sample_idx``."""


# ---------------------------------------------------------------------- models


@runtime_checkable
class MaskedModel(Protocol):
    """A model that draws masks: ``StepSeedHook`` seeds them."""

    def seed_masks(self, seed: int) -> None:
        """Sets the seed of the next iteration's masks."""


@runtime_checkable
class PhasedModel(Protocol):
    """A model that ``ProgressivePhaseHook`` takes through phases.

    Its submodule ``auxiliary_teacher`` is None before the first promotion.
    """

    phase: Phase | None
    previous_ratio: float | None

    @property
    def current_mask_ratio(self) -> float | None:
        """Share of masked patches; None: none is set."""

    @property
    def needs_auxiliary_teacher(self) -> bool:
        """Whether the student of the previous phase teaches."""

    def check_phase(self, phase: Phase, previous_ratio: float | None = None) -> None:
        """Raises ValueError for a phase that does not suit the model; changes nothing."""

    def set_phase(self, phase: Phase, previous_ratio: float | None = None) -> None:
        """Sets the phase, and the mask ratio of the previous one."""

    def student_state_dict(self) -> dict[str, Tensor]:
        """Weights of the student, as stored in a phase file."""

    def promote_student(self, state_dict: dict[str, Tensor] | None = None) -> None:
        """Makes the student, or the one in ``state_dict``, the auxiliary teacher."""


@runtime_checkable
class DifficultyModel(Protocol):
    """A model whose patches have a difficulty, stored by ``DAREHook``."""

    @property
    def difficulty_spec(self) -> DifficultySpec | None:
        """Size of the difficulty table that the model needs; None: it needs none."""

    def attach_difficulty(self, source: DifficultySource | None) -> None:
        """Gives the model read access to the table."""

    def pop_patch_losses(self) -> PatchLosses | None:
        """Returns and clears the smoothed losses of the last iteration."""


@runtime_checkable
class DiagnosableModel(Protocol):
    """A model that says how well it predicts, which ``HealthHook`` asks now and then."""

    def diagnose_next(self, wanted: bool) -> None:
        """Whether the next iteration is to be diagnosed."""

    def pop_diagnosis(self) -> Diagnosis | None:
        """Takes that of the last iteration."""

    def examine(self, inputs: Tensor, data_samples: list) -> Diagnosis | None:
        """That of ``(B, clips, C, T, H, W)`` normalised clips which are not trained on.

        None where masks need more than a ratio.
        """


@runtime_checkable
class WeighableModel(Protocol):
    """A model whose loss has ``terms`` that ``TermBalanceHook`` weighs on its ``backbone``."""

    def term_losses(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """The loss of each term on ``(B, clips, C, T, H, W)`` clips, with its graph; pure."""


@runtime_checkable
class CountableModel(Protocol):
    """A model whose training step has a known number of operations (``ThroughputHook``)."""

    num_masks: int

    @staticmethod
    def step_gflops(
        cfg: Mapping, phases: Sequence[Phase], previous_ratio: float | None = None
    ) -> list[float]:
        """GFLOPs per clip of a step in each phase, for a config of the model."""


@runtime_checkable
class PicturedModel(Protocol):
    """A model whose masks and difficulty ``PhasePictureHook`` shows; it has a ``backbone``."""

    phase: Phase | None
    views: Any

    def draw_views(self, clips: Tensor, data_samples: Sequence) -> Mapping[str, Any]:
        """Draws the masks of this iteration."""

    def difficulty_of(self, data_samples: list) -> dict[str, Tensor]:
        """Smoothed losses ``(B, N)`` of videos by teacher; empty without a table."""


# ---------------------------------------------------------------------- hooks


@runtime_checkable
class Curriculum(Protocol):
    """A hook that takes a model through phases (``ProgressivePhaseHook``)."""

    phases: PhaseSchedule
    restart: bool

    def previous_ratio(self, phase: Phase) -> float | None:
        """Mask ratio of the previous phase; None if there was none."""

    def scheduler_configs(self) -> list[dict] | None:
        """The learning rate's schedulers; None: the config gives them."""


@runtime_checkable
class SharedMemoryUser(Protocol):
    """A hook that keeps something in shared memory (``DAREHook``)."""

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory that it takes on this node."""


Kind = TypeVar('Kind')


def find_hook(runner, kind: type[Kind]) -> Kind | None:
    """The Runner's first hook of a class or protocol; None if there is none."""
    return next((hook for hook in runner.hooks if isinstance(hook, kind)), None)


def iterations_per_step(runner) -> int:
    """Number of iterations whose gradients the Runner accumulates for one step."""
    return getattr(runner.optim_wrapper, '_accumulative_counts', 1)
