"""Writes down skipped steps, so that they can be run again."""

from importlib import metadata
from pathlib import Path

import torch
from mmengine.dist import get_rank, get_world_size, is_main_process
from torch import Tensor, nn

from pmd_mmaction.contracts import PhasedModel, find_hook
from pmd_mmaction.hooks.difficulty.dare_hook import DAREHook
from pmd_mmaction.hooks.nonfinite.step_record import StepRecord, printable, write_tensors
from pmd_mmaction.hooks.step_seed_hook import StepSeedHook, step_seeds
from pmd_mmaction.hooks.unwrapped_model import plain_model

LIBRARIES = ('pmd-mmaction', 'mmengine', 'mmaction2')


class StepRecorder:
    """Remembers the batches of the present step and writes them when it was skipped.

    Args:
        directory: where the records go.
        max_dumps: so many records of this rank in the directory at most.
        dump_weights: write the weights too, at the first of several skipped steps in a row (they
            do not change between them).
    """

    def __init__(self, directory: Path, max_dumps: int, dump_weights: bool) -> None:
        self.directory = directory
        self.max_dumps = max_dumps
        self.dump_weights = dump_weights
        # in all, also by runs that were resumed: a run of weeks must not fill the disk
        # (all ranks record a step or none; one that joined later must not write more than rank 0)
        self._written = len(list(directory.glob('*_rank_0.json')))
        self._weights: str | None = None
        self._batches: list[dict] = []

    def see_batch(self, runner, data_batch: dict | None, outputs: dict | None) -> None:
        """Remembers a batch: the ids of its samples, its seeds, its losses."""
        seeded = find_hook(runner, StepSeedHook) is not None
        seed, mask_seed = step_seeds(runner) if seeded else (None, None)
        samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
        self._batches.append(
            dict(
                iter=runner.iter,
                seed=seed,
                mask_seed=mask_seed,
                losses={key: value.detach() for key, value in (outputs or {}).items()},
                samples=[sample.get('sample_idx') for sample in samples],
            )
        )

    def end_step(self, updated: bool) -> None:
        """Forgets the batches; after an update also which file holds the weights."""
        self._batches.clear()
        if updated:
            self._weights = None

    def write(self, runner, reason: str) -> Path | None:
        """Writes the record of this rank; returns its path, None when there are enough."""
        if self._written >= self.max_dumps:
            return None
        self._written += 1
        self.directory.mkdir(parents=True, exist_ok=True)
        model = plain_model(runner)
        phased = isinstance(model, PhasedModel)
        scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        record = StepRecord(
            epoch=runner.epoch,
            iter=runner.iter,
            rank=get_rank(),
            world_size=get_world_size(),
            seed=runner.seed or 0,
            reason=reason,
            batches=[_readable(batch, runner.train_dataloader.dataset) for batch in self._batches],
            config=runner.cfg.filename and Path(runner.cfg.filename).name,
            phase=list(model.phase) if phased and model.phase else None,
            previous_ratio=model.previous_ratio if phased else None,
            versions=dict(torch=torch.__version__, **{name: _version(name) for name in LIBRARIES}),
            loss_scale=scaler.get_scale() if scaler is not None else 1.0,  # 1 if it is disabled
        )
        history = self._history(runner)
        if history:
            record.history = f'{record.stem}.safetensors'
            write_tensors(self.directory / record.history, history)
        if self.dump_weights:
            record.weights = self._write_weights(runner.iter, model)
        return record.write(self.directory)

    def _history(self, runner) -> dict[str, Tensor]:
        """Rows of the difficulty table for the samples of this step."""
        hook = find_hook(runner, DAREHook)
        videos = [i for batch in self._batches for i in batch['samples']]
        if hook is None or hook.complete_table() is None or None in videos:
            return {}
        last, stage = hook.read(videos)
        rows = dict(sample_idx=torch.tensor(videos), last=last)
        rows |= dict(by_place=torch.tensor(True)) if hook.by_place else {}
        return rows if stage is None else rows | dict(stage=stage)

    def _write_weights(self, iteration: int, model: nn.Module) -> str:
        """Writes the weights unless an earlier record of this row has them; their file."""
        if self._weights is None:
            self._weights = f'weights_iter_{iteration + 1}.safetensors'
            if is_main_process():
                write_tensors(self.directory / self._weights, _weights(model))
        return self._weights


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's weights, and those of the auxiliary teacher, which its state dict lacks."""
    state = {f'model.{key}': value for key, value in model.state_dict().items()}
    if isinstance(model, PhasedModel) and model.auxiliary_teacher is not None:
        taught = model.auxiliary_teacher.network.state_dict()
        state |= {f'auxiliary.{key}': value for key, value in taught.items()}
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _readable(batch: dict, dataset) -> dict:
    """A batch as JSON can hold it, with the names of its files."""
    losses = {key: printable(float(value)) for key, value in batch['losses'].items()}
    samples = [dict(sample_idx=i, file=_file(dataset, i)) for i in batch['samples']]
    return batch | dict(losses=losses, samples=samples)


def _file(dataset, index: int | None) -> str | None:
    if index is None or not hasattr(dataset, 'get_data_info'):
        return None
    info = dataset.get_data_info(index)
    return info.get('filename') or info.get('frame_dir')


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return 'not installed'
