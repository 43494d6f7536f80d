"""The fine-tuning configs made small: ViT of three layers, clips of 32 px, two epochs."""

import functools
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from tests.integration import tiny
from tests.integration.shipped import config_of

CONFIGS = [name for name in tiny.SHIPPED if name.endswith('_finetune.py')]
WIDTH, DEPTH = 48, 3
SMALLER = {
    'SampleFrames': dict(clip_len=4, frame_interval=1),
    'UniformSample': dict(clip_len=4),
    'CenterCrop': dict(crop_size=32),
    'ThreeCrop': dict(crop_size=32),
}
SCALES = {(-1, 256): (-1, 40), (-1, 224): (-1, 32), (224, 224): (32, 32), (48, 48): (32, 32)}


@OPTIM_WRAPPERS.register_module(force=True)
class CPUAutocast(OptimWrapper):
    """What AmpOptimWrapper with bfloat16 does on a GPU."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def shrink_pipeline(pipeline: list) -> None:
    """Fewer frames and pixels, the same steps."""
    for step in pipeline:
        step.update(SMALLER.get(step.type, {}))
        if step.type == 'Resize':
            step.scale = SCALES[tuple(step.scale)]


def tiny_finetuning(name: str, clips: Path, work_dir: Path, student: Path | None) -> Config:
    """A shipped config, made small.

    Args:
        name: path below ``configs``.
        clips: result of `tiny.make_clips`.
        work_dir: where the run writes.
        student: weights to start from.
    """
    cfg = config_of(name)
    size = dict(embed_dims=WIDTH, depth=DEPTH, num_heads=3, **tiny.GRID)
    cfg.model.backbone.update(size)
    cfg.model.cls_head.in_channels = WIDTH
    for kind in ('train', 'val', 'test'):
        loader = cfg[f'{kind}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=4)
        loader.dataset.ann_file = str(clips / 'train.txt')
        loader.dataset.data_prefix = dict(video=str(clips))
        shrink_pipeline(loader.dataset.pipeline)
    shrink_pipeline(cfg.test_pipeline)  # what MMAction2's API reads
    wrapper = cfg.optim_wrapper
    if 'constructor' in wrapper:
        wrapper.paramwise_cfg.num_layers = DEPTH
    wrapper.optimizer.lr = 3e-2  # few steps, and rates fall fast with the layers
    wrapper.type = 'CPUAutocast'
    for key in ('dtype', 'loss_scale'):
        wrapper.pop(key, None)
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    cfg.auto_scale_lr.enable = False
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.load_from = None if student is None else str(student)
    cfg.update(work_dir=str(work_dir), log_level='ERROR')
    cfg.default_hooks.logger.interval = 1
    return cfg


def settings_but(left_out: Iterable[str], name: str) -> dict:
    """All settings of a shipped config but some, such as ``model.backbone.depth``."""
    settings = config_of(name).to_dict()
    for path in left_out:
        *parents, last = path.split('.')
        functools.reduce(dict.get, parents, settings).pop(last, None)
    return settings
