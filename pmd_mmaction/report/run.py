"""What a pre-training run has left in its work directory."""

import os
import re
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from pmd_mmaction.dare import DifficultyTable, table_file
from pmd_mmaction.functional import PhaseSchedule, gather_crop
from pmd_mmaction.teacher_configs import find_teachers
from pmd_mmaction.visualization import read_scalars


class RunError(Exception):
    """A path that is not a run; the message says what to do."""


class Run:
    """A run, finished or in progress.

    Args:
        cfg: its config.
        work_dir: its folder.
    """

    def __init__(self, cfg: Config, work_dir: Path) -> None:
        self.cfg, self.work_dir = cfg, work_dir
        init_default_scope(cfg.get('default_scope', 'mmaction'))

    @classmethod
    def open(cls, path: str | Path) -> 'Run':
        """Finds config and folder.

        Args:
            path: a config, or the work directory of a run.

        Raises:
            RunError: if there is no config, or it cannot be read.
        """
        path = Path(path)
        config = _config_of(path) if path.is_dir() else path
        if not config.is_file():
            raise RunError(f'{path} is neither a config nor the work directory of a run')
        try:
            cfg = Config.fromfile(config)
        except Exception as error:  # a config is Python
            raise RunError(f'{config} cannot be read: {type(error).__name__}: {error}') from error
        if 'backbone' not in cfg.get('model', {}):
            raise RunError(f'{config} has no model with a backbone: name a pre-training')
        own = Path(cfg.get('work_dir') or Path('work_dirs', config.stem))
        # pretrain_folder.py writes configs above the folder of the run
        below = own.is_dir() and path.resolve() in own.resolve().parents
        return cls(cfg, path if path.is_dir() and not below else own)

    @cached_property
    def scalars(self) -> dict[str, dict[int, float]]:
        """Log key to {step: value}; without a log empty."""
        return read_scalars(self.logs)

    @property
    def logs(self) -> list[Path]:
        """What LocalVisBackend wrote, oldest first."""
        return sorted(self.work_dir.glob('*/vis_data/scalars.json'))

    @cached_property
    def teacher_scalars(self) -> dict[str, dict[str, dict[int, float]]]:
        """Teacher to the log of its training, where that lies beside its checkpoint."""
        found = {}
        for name, (_, teacher) in find_teachers(self.cfg.model).items():
            if not teacher.get('checkpoint'):
                continue
            path = Path(teacher.checkpoint)
            folders = path.parent, path.with_suffix('')  # it was trained there, or converted
            logs = [log for folder in folders for log in folder.glob('*/vis_data/scalars.json')]
            scalars = read_scalars(sorted(log for log in logs if log not in self.logs))
            if scalars:
                found[name] = scalars
        return found

    @cached_property
    def phases(self) -> dict[str, float]:
        """Title to mask ratio of each phase, or of the whole run."""
        hook = self.hook('ProgressivePhaseHook')
        if hook is None:
            ratio = self.cfg.model.get('mask_ratio')
            return {} if ratio is None else {f'{ratio:.0%} masked': ratio}
        return {
            f'phase {phase.index + 1}\n{phase.mask_ratio:.0%} masked': phase.mask_ratio
            for phase in PhaseSchedule.of_hook(hook).phases
        }

    @property
    def epochs(self) -> tuple[int, int | None]:
        """Epochs begun, and those of the whole run where they are known."""
        hook = self.hook('ProgressivePhaseHook')
        total = self.cfg.get('train_cfg', {}).get('max_epochs')
        if hook is not None:
            total = PhaseSchedule.of_hook(hook).total_epochs
        return int(max(self.scalars.get('epoch', {0: 0}).values())), total

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end."""
        if self.hook('ProgressivePhaseHook') is None:
            return self.work_dir.joinpath(f'epoch_{self.epochs[1]}.pth').is_file()
        return self.work_dir.joinpath('student.pth').is_file()

    def hook(self, kind: str) -> dict | None:
        """The config of a hook; None if there is none."""
        hooks = [*self.cfg.get('default_hooks', {}).values(), *(self.cfg.get('custom_hooks') or [])]
        return next((hook for hook in hooks if hook and hook['type'] == kind), None)

    # ------------------------------------------------------------------ files

    @cached_property
    def students(self) -> dict[str, Path]:
        """Title to the file of each student that the run has saved, oldest first."""
        found = {
            f'student, phase {path.stem.split("_")[1]}': path
            for path in sorted(self.work_dir.glob('phase_*_student.pth'), key=_numbers)
        }
        newest = max(self.work_dir.glob('epoch_*.pth'), key=_numbers, default=None)
        if self.work_dir.joinpath('student.pth').is_file():
            if found:
                found.popitem()  # the same weights
            found['student'] = self.work_dir / 'student.pth'
        elif newest is not None:
            found[f'student, {newest.stem.replace("_", " ")}'] = newest
        return found

    @cached_property
    def table(self) -> Path | None:
        """File of the newest difficulty table; None if there is none."""
        tables = self.work_dir.glob('difficulty_*.table')
        return max(tables, key=lambda path: path.stat().st_mtime, default=None)

    def difficulty(self, samples: list[dict]) -> list[dict[str, np.ndarray]]:
        """Smoothed losses ``(N,)`` of clips for each teacher, out of the newest table.

        Args:
            samples: packed clips of the training.

        Returns:
            For each clip teacher to losses.
        """
        layout = table_file.inspect(self.table).layout
        table = DifficultyTable.create(None, *layout.shape, layout.dtype)
        table_file.load(table, self.table)
        names = list(find_teachers(self.cfg.model))
        terms = self.cfg.model.get('terms', [])
        dare = next((t for t in terms if t['type'] == 'DARETerm'), self.cfg.model.get('dare'))
        own = (dare or {}).get('teachers')
        if own is not None:
            names = [own] if isinstance(own, str) else list(own)
        clips = [sample['data_samples'] for sample in samples]
        rows, _ = table.read([int(clip.sample_idx) for clip in clips])
        if (self.hook('DAREHook') or {}).get('region') == 'canonical':  # rows cover the frame
            boxes = np.concatenate([clip.crop_box[:1] for clip in clips])  # of the first clip
            rows = gather_crop(rows, torch.from_numpy(boxes), self.backbone.token_grid)
        return [dict(zip(names, row)) for row in rows.numpy()]

    # ------------------------------------------------------------------ videos

    @cached_property
    def videos(self) -> torch.utils.data.Dataset:
        """The training videos as the training sees them."""
        return DATASETS.build(self.cfg.train_dataloader.dataset)

    @cached_property
    def held_out(self) -> tuple[torch.utils.data.Dataset, torch.utils.data.Dataset] | None:
        """The bank and held-out videos, both as the validation sees them.

        The bank is the first of the validation's data sets, or the training videos.
        """
        dataset = (self.cfg.get('val_dataloader') or {}).get('dataset', self.cfg.get('report'))
        if dataset is None:
            return None
        parts = dataset.get('datasets', [dataset])
        bank = parts[0]
        if len(parts) == 1:
            bank = dict(self.cfg.train_dataloader.dataset, pipeline=dataset.pipeline)
        return DATASETS.build(bank), DATASETS.build(parts[-1])

    @cached_property
    def backbone(self) -> nn.Module:
        """The student's encoder, with fresh weights."""
        return MODELS.build(self.cfg.model.backbone)


def sample_of(dataset: torch.utils.data.Dataset, index: int) -> dict:
    """A packed clip, the first where a video gives several."""
    sample = dataset[index]
    return sample[0] if isinstance(sample, list) else sample


def frames_of(sample: dict) -> np.ndarray:
    """``(T, H, W, 3)`` uint8 frames of a packed clip."""
    return sample['inputs'][0].permute(1, 2, 3, 0).numpy()


def spread(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` places among ``count``, evenly spread."""
    return np.linspace(0, count - 1, min(count, wanted)).astype(int).tolist()


def _config_of(work_dir: Path) -> Path:
    """The config that the Runner left in its folder, or pretrain_folder.py above it."""
    found = [*work_dir.glob('*.py'), *work_dir.glob('*/vis_data/config.py')]
    if not found:
        raise RunError(f'{work_dir} holds no config: name the work directory of a run')
    first = work_dir / 'pretrain.py'  # beside those of teachers and fine-tuning
    return first if first in found else max(found, key=os.path.getmtime)


def _numbers(path: Path) -> list[int]:
    """The numbers in a file name: epoch and iteration, or the phase."""
    return [int(number) for number in re.findall(r'\d+', path.stem)]
