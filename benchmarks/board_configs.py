"""The config of a cell of the leaderboard, and what identifies its training."""

import argparse
import copy
import functools
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.models.teachers.weights import read_state_dict
from pmd_mmaction.teacher_configs import find_teachers

ROOT = Path(__file__).resolve().parents[1]


class Method(NamedTuple):
    """A row of the board.

    Attributes:
        name: in the table and in the names of files.
        config: path of its config.
        changes: dotted keys to values.
    """

    name: str
    config: str
    changes: dict


def configure(method: Method, epochs: int, args: argparse.Namespace) -> Config:
    """The config of a cell, with the videos and teachers of the command line."""
    cfg = resolve(method, epochs)
    cfg.train_dataloader.dataset.ann_file = str(args.data / 'train.txt')
    cfg.train_dataloader.dataset.data_prefix = dict(video=str(args.data))
    for _, teacher in find_teachers(cfg.model).values():
        path = Path(teacher.get('checkpoint') or '')
        if path.is_relative_to('work_dirs/demo'):  # where `make demo` puts it
            teacher.checkpoint = str(args.teachers / path.relative_to('work_dirs/demo'))
    return cfg


@functools.cache
def _read(config: str) -> Config:
    return Config.fromfile(ROOT / config)


def resolve(method: Method, epochs: int) -> Config:
    """The config of a method, with phases of ``epochs`` in all."""
    cfg = copy.deepcopy(_read(method.config))
    cfg.merge_from_dict(method.changes)
    curriculum = cfg.default_hooks.curriculum
    phases = PhaseSchedule.of_hook(curriculum).phases
    curriculum.phases = list(zip((p.mask_ratio for p in phases), share(epochs, len(phases))))
    return cfg


def require_epochs(method: Method, epochs: int) -> None:
    """Refuses fewer epochs than phases.

    Raises:
        SystemExit: naming the method.
    """
    phases = len(resolve(method, epochs).default_hooks.curriculum.phases)
    if epochs < phases:
        raise SystemExit(f'{method.name}: {epochs} epochs for {phases} phases: raise --epochs')


def digest(method: Method, epochs: int) -> str:
    """SHA-256 of what the training depends on, whichever files of configs say it."""
    cfg = resolve(method, epochs)
    hooks = cfg.default_hooks
    names = 'model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg'
    names += 'auto_scale_lr', 'custom_hooks', 'load_from'
    parts = [cfg.to_dict().get(name) for name in names]
    parts += [hooks.to_dict().get(name) for name in ('curriculum', 'difficulty')]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def sources(method: Method, epochs: int, args: argparse.Namespace) -> dict[str, str]:
    """SHA-256 of what the videos are made from and of the teachers' weights, of what is here."""
    found = {}
    lists = [args.data / name for name in ('meta.json', 'train.txt', 'val.txt')]
    if all(path.is_file() for path in lists):
        content = b''.join(path.read_bytes() for path in lists)
        found['videos'] = hashlib.sha256(content).hexdigest()
    configs = [t.config for t in find_teachers(configure(method, epochs, args).model).values()]
    paths = [cfg.checkpoint for cfg in configs if cfg.get('checkpoint')]
    if paths and all(map(os.path.isfile, paths)):
        digests = ''.join(map(weights_digest, paths))
        found['teachers'] = hashlib.sha256(digests.encode()).hexdigest()
    return found


def foreign(cell: dict, method: Method, epochs: int, args: argparse.Namespace) -> str | None:
    """Which of the sources of a cell are other ones than are here; early cells do not tell."""
    here = sources(method, epochs, args)
    return next((name for name in here if cell.get(name, here[name]) != here[name]), None)


@functools.cache
def weights_digest(path: str) -> str:
    """SHA-256 of the weights in a file, whose notes of the time differ between equal runs."""
    found = hashlib.sha256()
    for key, value in sorted(read_state_dict(path).items()):
        found.update(key.encode() + value.contiguous().numpy().tobytes())
    return found.hexdigest()


def share(epochs: int, phases: int) -> list[int]:
    """Epochs of each phase; the first phases get what is left over."""
    return [epochs // phases + (i < epochs % phases) for i in range(phases)]


def passes(cfg: Config) -> int:
    """Passes of the student that a video gives in an epoch: its clips times their masks."""
    return cfg.train_dataloader.dataset.get('num_repeats', 1) * cfg.model.get('num_masks', 1)


def epoch_gflops(cfg: Config) -> float:
    """GFLOPs of an epoch per video, the mean over the epochs; trained parts count three times."""
    from mmaction.registry import MODELS
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    phases = PhaseSchedule.of_hook(cfg.default_hooks.curriculum).phases
    steps = MODELS.get(cfg.model.type).step_gflops(cfg.model, phases)
    total = sum(gflops * (phase.end - phase.begin) for gflops, phase in zip(steps, phases))
    return total / phases[-1].end * cfg.train_dataloader.dataset.get('num_repeats', 1)
