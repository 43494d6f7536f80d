"""What is needed to run one training step again: ``tools/replay_batch.py`` reads it."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import safetensors.torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from pmd_mmaction.storage.atomic_file import write_file

FORMAT = 2


@dataclass
class StepRecord:
    """One skipped step of one rank.

    Attributes:
        epoch: from 0.
        iter: iteration of the run, from 0, in which the step was due.
        rank: the rank.
        world_size: number of ranks.
        seed: seed of the run.
        reason: ``'loss'`` or ``'gradient'``.
        batches: the batches whose gradients were accumulated, one without accumulation:
            ``iter``, ``seed`` and ``mask_seed`` (None without ``StepSeedHook``), ``losses``
            of this rank (float, or ``'nan'``, ``'inf'``), and ``samples``, each with
            ``sample_idx`` and ``file``, None where not known.
        config: name of the run's config file, of which the work directory holds a copy.
        phase: the recognizer's phase (index, mask ratio, begin, end), or None.
        previous_ratio: mask ratio of the phase before, or None.
        weights: file beside this one with the model's weights, or None.
        history: file beside this one with rows of the difficulty table, or None.
        versions: of the libraries.
        loss_scale: factor of the loss in float16, else 1; a dynamic one as the step has left it.
        format: version of this format.
    """

    epoch: int
    iter: int
    rank: int
    world_size: int
    seed: int
    reason: str
    batches: list[dict]
    config: str | None = None
    phase: list | None = None
    previous_ratio: float | None = None
    weights: str | None = None
    history: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    loss_scale: float = 1.0
    format: int = FORMAT

    @property
    def stem(self) -> str:
        """Name of its files without suffix."""
        return f'epoch_{self.epoch + 1}_iter_{self.iter + 1}_rank_{self.rank}'

    def write(self, directory: Path) -> Path:
        """Writes ``<stem>.json`` atomically; returns its path."""
        path = directory / f'{self.stem}.json'
        write_file(path, json.dumps(asdict(self), indent=2, allow_nan=False).encode())
        return path

    @classmethod
    def read(cls, path: Path) -> 'StepRecord':
        """Reads a record.

        Raises:
            ValueError: if the file is something else or of another format.
        """
        try:
            content = json.loads(Path(path).read_text(encoding='utf-8'))
        except (ValueError, RecursionError) as error:
            raise ValueError(f'{path} is not a step record: {error}') from error
        if not isinstance(content, dict) or content.get('format') != FORMAT:
            raise ValueError(
                f'{path} is not a step record of format {FORMAT}: give an '
                'epoch_E_iter_I_rank_R.json from the directory nonfinite of a run'
            )
        try:
            return cls(**content)
        except TypeError as error:
            known = [f.name for f in fields(cls)]
            raise ValueError(f'{path} is damaged: {error}; it must hold {known}') from error


def printable(value: float) -> float | str:
    """A number for JSON, which knows neither NaN nor infinity."""
    return value if math.isfinite(value) else str(value)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes tensors to a safetensors file, atomically."""
    copies = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    write_file(path, safetensors.torch.save(copies))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads a safetensors file onto the CPU.

    Raises:
        ValueError: if it is none.
    """
    try:
        # as repaired in `compat`, where names may be no UTF-8
        return CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    except safetensors.SafetensorError as error:
        raise ValueError(f'{path} is not a file of tensors: {error}') from error
