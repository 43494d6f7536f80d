"""Small real trainings: mp4 clips, a Runner config and what a run leaves behind.

One training takes one or two seconds: 12 clips, 4 frames of 32 px, N = 32 patches in 2 time steps,
batches of 4, three phases of 3 epochs with stages of 2 epochs.
"""

import atexit
import copy
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from pmd_mmaction.dare import DifficultyTable, table_file
from pmd_mmaction.hooks import DAREHook

# Registered here, so that every user of this module can name them in a config.
from tests.integration.watching import StopAfter, Watch, snapshot  # noqa: F401
from tools.data import make_demo_objects

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
SHIPPED = sorted(
    str(path.relative_to(CONFIGS))
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIGS).parts
)
CLIPS, BATCH, PATCHES = 12, 4, 32
EPOCHS, RATIOS = 3, (0.5, 0.7, 0.8)
GRID = dict(img_size=32, patch_size=8, num_frames=4, tubelet_size=2)
_numbers = itertools.count()


def make_clips(out: Path, size: int = 32, frames: int = 8) -> Path:
    """Real mp4 files with list files, a copy of its own for every caller."""
    return Path(shutil.copytree(_made_clips(size, frames), out))


@functools.cache
def _made_clips(size: int, frames: int) -> Path:
    """They are made by the tool of the repository, once in a process."""
    folder, owner = tempfile.mkdtemp(), os.getpid()
    # not at the end of a process that a test forks
    atexit.register(lambda: owner == os.getpid() and shutil.rmtree(folder, ignore_errors=True))
    out = Path(folder) / 'clips'
    options = dict(train_clips=CLIPS, val_clips=12, size=size, frames=frames, out=out)
    arguments = [f'--{key.replace("_", "-")}={value}' for key, value in options.items()]
    script = ROOT / 'tools' / 'data' / 'make_demo_dataset.py'
    subprocess.run([sys.executable, str(script), '--quiet', *arguments], check=True)
    return out


def use_objects(cfg: Config, out: Path) -> None:
    """Lets a config paste the objects of the demo, made by the tool of the repository."""
    steps = [s for s in cfg.train_dataloader.dataset.pipeline if s.type == 'PasteMovingObjects']
    for step in steps:
        step.folder = str(out)
        make_demo_objects.main(['--out', str(out)])


# ---------------------------------------------------------------------- configs


def schedulers(phases: int = len(RATIOS), epochs: int = EPOCHS) -> list[dict]:
    """A warm-up of one epoch and a cosine for every phase."""
    unit = dict(by_epoch=True, convert_to_iter_based=True)
    return [
        scheduler
        for start in range(0, phases * epochs, epochs)
        for scheduler in (
            dict(type='LinearLR', start_factor=0.01, begin=start, end=start + 1, **unit),
            dict(
                type='CosineAnnealingLR',
                eta_min_ratio=0.01,
                begin=start + 1,
                end=start + epochs,
                T_max=epochs - 1,
                **unit,
            ),
        )
    ]


def tiny_config(clips: Path, work_dir: Path, *hooks: dict, **changes) -> Config:
    """The demo config, made smaller.

    Args:
        clips: result of `make_clips`.
        work_dir: where the run writes.
        *hooks: further custom hooks.
        **changes: settings with dots written as double underscores, such as
            ``model__psd=None``; ``dare`` and ``phase`` change the two hooks' arguments.
    """
    cfg = Config.fromfile(CONFIGS / 'pmd' / 'vit-tiny_demo_pretrain.py')
    size = dict(embed_dims=48, depth=3, num_heads=3)
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(drop_path_rate=0.2, **GRID, **size),
                image_teacher=dict(
                    checkpoint=None,
                    num_frames=4,
                    model_kwargs=dict(img_size=32, embed_dim=48, depth=3, num_heads=3),
                ),
                video_teacher=dict(checkpoint=None, **GRID, **size),
                decoder=dict(embed_dims=48, num_heads=3),
            ),
            train_dataloader=dict(
                batch_size=BATCH,
                num_workers=0,
                persistent_workers=False,
                dataset=dict(ann_file=str(clips / 'train.txt'), data_prefix=dict(video=str(clips))),
            ),
            default_hooks=dict(
                logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=2)
            ),
            optim_wrapper=dict(optimizer=dict(lr=1e-3)),
            work_dir=str(work_dir),
            log_level='ERROR',
        )
    )
    _shrink(cfg.train_dataloader.dataset.pipeline)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]  # TensorBoard imports for seconds
    ratios, epochs = changes.pop('ratios', RATIOS), changes.pop('epochs', EPOCHS)
    phases = [dict(mask_ratio=ratio, epochs=epochs) for ratio in ratios]
    phase = dict(type='ProgressivePhaseHook', phases=phases) | changes.pop('phase', {})
    dare = dict(type='DAREHook', stage_epochs=2, dtype='float32') | changes.pop('dare', {})
    names = ('step_seed', 'curriculum', 'difficulty', 'term_balance', 'health')
    for name in (*names, 'pictures', 'throughput'):
        cfg.default_hooks.pop(name)
    cfg.custom_hooks = [dict(type='StepSeedHook'), phase, dare, *hooks]
    cfg.param_scheduler = schedulers(len(ratios), epochs)
    cfg.train_cfg = dict(type='ResumableTrainLoop', max_epochs=epochs * len(ratios))
    for key, value in changes.items():
        _set(cfg, key.split('__'), value)
    return cfg


def validate_frozen(cfg: Config, clips: Path, interval: int, train: str = 'train.txt') -> Config:
    """The demo's validation and a linear probe: the training clips classify the others.

    Args:
        cfg: result of `tiny_config`; it is changed.
        clips: result of `make_clips`.
        interval: epochs between two validations.
        train: list file of the labelled clips.
    """
    demo = Config.fromfile(CONFIGS / 'pmd' / 'vit-tiny_demo_pretrain.py')
    loader = demo.val_dataloader
    loader.update(batch_size=5, num_workers=0, persistent_workers=False)
    for dataset, name in zip(loader.dataset.datasets, (train, 'val.txt')):
        dataset.update(ann_file=str(clips / name), data_prefix=dict(video=str(clips)))
        _shrink(dataset.pipeline)
    cfg.val_dataloader, cfg.val_cfg = loader, demo.val_cfg
    cfg.val_evaluator = [dict(demo.val_evaluator, k=3), dict(type='LinearProbeMetric')]
    cfg.train_cfg.val_interval = interval
    return cfg


def _shrink(pipeline: list[dict]) -> None:
    smaller = dict(SampleFrames=dict(clip_len=4), Resize=dict(scale=(32, 32)))
    for step in pipeline:
        step.update(smaller.get(step.type, {}))


def _set(cfg: Config, keys: list[str], value) -> None:
    for key in keys[:-1]:
        cfg = cfg[int(key) if isinstance(cfg, list) else key]
    cfg[keys[-1]] = value


def build(cfg: Config) -> Runner:
    """A Runner under a name of its own, since mmengine keeps global objects by name."""
    cfg = copy.deepcopy(cfg)
    cfg.experiment_name = f'tiny-{os.getpid()}-{next(_numbers)}'
    with warnings.catch_warnings(), _quick():
        warnings.simplefilter('ignore')
        return Runner.from_cfg(cfg)


def train(cfg: Config) -> Runner:
    """Trains to the end."""
    return finish(build(cfg))


def finish(runner: Runner) -> Runner:
    """Trains a Runner to the end."""
    with _quick():
        runner.train()
    return runner


@contextmanager
def _quick():
    """Without the pretty-printing of configs, two thirds of the time of a tiny training."""
    with (
        mock.patch('mmengine.config.config.FormatCode', lambda text, **_: (text, True)),
        mock.patch('mmengine.runner.runner.collect_env', dict),
    ):
        yield


def resumed(cfg: Config, checkpoint: Path | None = None) -> Config:
    """The same config, to be resumed from a checkpoint or from the last one."""
    cfg = copy.deepcopy(cfg)
    cfg.resume = True
    cfg.load_from = None if checkpoint is None else str(checkpoint)
    return cfg


# ---------------------------------------------------------------------- reading results


def hook_of(runner: Runner, kind: type) -> Hook:
    """The hook of a type."""
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def table_of(runner: Runner) -> np.ndarray:
    """A copy of both arrays of the difficulty table."""
    table = hook_of(runner, DAREHook).complete_table()
    return np.stack([table.current, table.stage])


def read_table(path: Path) -> np.ndarray:
    """Both arrays of a table file."""
    layout = table_file.inspect(path).layout
    table = DifficultyTable.create(None, *layout.shape, layout.dtype)
    table_file.load(table, path)
    return np.stack([table.current, table.stage])


def read_checkpoint(path: Path) -> dict:
    """A file of the Runner or of a phase."""
    return torch.load(path, map_location='cpu', weights_only=False)


def same(a, b) -> bool:
    """Bit-equality of nested containers of tensors and numbers."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def die() -> None:
    """What the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
