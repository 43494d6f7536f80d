"""A model as it was before a recorded step; the other half of ``StepRecorder``."""

from pathlib import Path
from typing import Sequence

from torch import Tensor, nn

from pmd_mmaction.functional import Phase
from pmd_mmaction.hooks.nonfinite.step_record import StepRecord, read_tensors


class RecordedHistory:
    """The rows of the difficulty table that a step read.

    Args:
        rows: ``sample_idx`` (B,), ``last`` (B, K, N), ``stage`` of the same shape unless the
            weights were uniform, and ``by_place`` if rows cover the frame.
    """

    def __init__(self, rows: dict[str, Tensor]) -> None:
        self.row = {video: i for i, video in enumerate(rows['sample_idx'].tolist())}
        self.last, self.stage = rows['last'], rows.get('stage')
        self.by_place = 'by_place' in rows

    def read(self, sample_idx: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Last smoothed losses and those of the previous stage (None: uniform weights)."""
        rows = [self.row[i] for i in sample_idx]
        return self.last[rows], None if self.stage is None else self.stage[rows]


def restore_model(
    model: nn.Module, record: StepRecord, directory: Path, weights: dict[str, Tensor] | None = None
) -> None:
    """Brings a freshly built model into the state before the step.

    Args:
        model: changed; its teachers are loaded already.
        record: the record.
        directory: where the record lies.
        weights: a state dict to use instead of the recorded one.

    Raises:
        FileNotFoundError: if a file of the record is missing.
        ValueError: if there are no weights.
    """
    state = read_tensors(_existing(directory, record.weights)) if record.weights else {}
    if record.phase:
        model.set_phase(Phase(*record.phase), record.previous_ratio)
    auxiliary = _under('auxiliary.', state)
    if auxiliary:
        model.promote_student()
        model.auxiliary_teacher.network.load_state_dict(auxiliary)
    weights = weights or _under('model.', state)
    if not weights:
        raise ValueError('the record has no weights (dump_weights=False): give a checkpoint')
    model.load_state_dict(weights)
    if record.history:
        rows = read_tensors(_existing(directory, record.history))
        model.attach_difficulty(RecordedHistory(rows))


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _existing(directory: Path, name: str) -> Path:
    path = directory / Path(name).name
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing, which the record needs: copy it there')
    return path
