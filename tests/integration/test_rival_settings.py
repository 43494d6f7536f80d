"""Configs of the other methods against the settings of their public codes.

Learning rates at recorded iterations lie in the files of tests/models/recognizers/golden.py.
"""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks.curriculum.phase_schedulers import phase_schedulers
from tests.every import every
from tests.integration import tiny
from tests.integration.shipped import epochs_of, schedulers_of
from tests.models.recognizers.golden import Golden

GPUS = 8
# Config: videos of a step, base learning rate, minimum, epochs, warm-up, mask ratio, clips of a
# video, clipping, (width, depth, heads) of encoder and decoder.
S, B, L, H = (384, 12, 6), (768, 12, 12), (1024, 24, 16), (1280, 32, 16)
DECODER_S, DECODER_B = (192, 4, 3), (384, 4, 6)
DECODER_L, DECODER_H = (512, 12, 8), (640, 12, 8)
TABLE = {
    'mvd/vit-s_k400_pretrain': (1024, 1.5e-4, 1e-4, 400, 40, 0.9, 1, None, S, (384, 2, 6)),
    'mvd/vit-b_k400_pretrain': (1024, 1.5e-4, 1e-4, 400, 40, 0.9, 1, None, B, (768, 2, 12)),
    'mvd/vit-b_k400_pretrain_vit-l-teachers': (
        *(1024, 1.5e-4, 1e-4, 400, 40, 0.9, 1, None, B),
        (768, 2, 12),
    ),
    'mvd/vit-l_k400_pretrain': (512, 1.5e-4, 1e-4, 400, 40, 0.9, 1, None, L, (512, 4, 8)),
    'videomae/vit-s_k400_pretrain': (1024, 1.5e-4, 1e-5, 1600, 40, 0.9, 1, None, S, DECODER_S),
    'videomae/vit-b_k400_pretrain': (2048, 1.5e-4, 1e-5, 1600, 40, 0.9, 1, None, B, DECODER_B),
    'videomae/vit-l_k400_pretrain': (512, 1.5e-4, 1e-5, 1600, 40, 0.9, 1, None, L, DECODER_L),
    'videomae/vit-h_k400_pretrain': (1024, 1.5e-4, 1e-5, 1600, 40, 0.9, 1, None, H, DECODER_H),
    'videomae/vit-s_ssv2_pretrain': (1024, 1.5e-4, 1e-5, 2400, 40, 0.9, 1, None, S, DECODER_S),
    'videomae/vit-b_ssv2_pretrain': (2048, 1.5e-4, 1e-5, 2400, 40, 0.9, 1, None, B, DECODER_B),
    'videomae/vit-b_ucf101_pretrain': (192, 3e-4, 1e-5, 3200, 40, 0.75, 1, None, B, DECODER_B),
    'videomaev2/vit-b_k400_pretrain': (1024, 1e-3, 1e-5, 200, 20, 0.9, 4, None, B, DECODER_B),
    'videomaev2/vit-g_k400_pretrain': (
        *(2048, 6e-4, 1e-5, 300, 30, 0.9, 4, 0.02),
        *((1408, 40, 16), (512, 4, 8)),
    ),
    'amd/vit-s_k400_pretrain': (512, 1.2e-3, 1e-5, 200, 10, 0.9, 4, 0.02, S, DECODER_S),
    'amd/vit-b_k400_pretrain': (512, 1.2e-3, 1e-5, 200, 10, 0.9, 4, 0.02, B, DECODER_B),
    'amd/vit-s_ssv2_pretrain': (512, 1.2e-3, 1e-5, 200, 10, 0.9, 4, 0.02, S, DECODER_S),
    'amd/vit-b_ssv2_pretrain': (512, 1.2e-3, 1e-5, 200, 10, 0.9, 4, 0.02, B, DECODER_B),
}
RECORDED = ['mvd', 'videomae', 'videomaev2', 'amd', 'smile']
LONGER = {'mvd': 1, 'videomae': 1, 'videomaev2': 0, 'amd': 0}  # epochs of the cosine after the run


def read(name: str) -> Config:
    init_default_scope('mmaction')
    return Config.fromfile(tiny.CONFIGS / f'{name}.py')


def rates(schedulers: list[dict], peak: float, length: int, epochs: int) -> list[float]:
    """Learning rate of each iteration."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=peak)
    known = dict(optimizer=optimizer, epoch_length=length)
    built = [PARAM_SCHEDULERS.build(dict(s), default_args=known) for s in schedulers]
    found = []
    for _ in range(epochs * length):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in built:
            scheduler.step()
    return found


def rate(step: int, lr: float, min_lr: float, epochs: int, length: int, warmup: int) -> float:
    """The public codes' learning rate of an iteration, in closed form."""
    rising = warmup * length
    if step < rising:
        return lr * step / (rising - 1)
    share = (step - rising) / (epochs * length - rising)
    return min_lr + (lr - min_lr) / 2 * (1 + math.cos(math.pi * share))


def arguments(schedule: dict) -> tuple:
    """Arguments of `rate` after the first, from the settings in a file."""
    names = ('lr', 'min_lr', 'epochs', 'iters_per_epoch', 'warmup_epochs')
    return tuple(schedule[name] for name in names)


@pytest.mark.parametrize('method', RECORDED)
def test_the_closed_form_gives_the_recorded_rates(method):
    golden = Golden(method)
    small, published = golden.notes['schedule']['small'], golden.notes['schedule']['published']
    recorded = list(enumerate(golden['sched.small.lr'].tolist()))
    for step, lr in recorded:
        assert rate(step, *arguments(small)) == pytest.approx(lr, rel=1e-6, abs=1e-10)
    steps = zip(golden['sched.published.iters'].tolist(), golden['sched.published.lr'].tolist())
    for step, lr in steps:
        assert rate(step, *arguments(published)) == pytest.approx(lr, rel=1e-6, abs=1e-10), step


@pytest.mark.parametrize('method', RECORDED)
def test_phases_give_the_recorded_rates(method):
    golden = Golden(method)
    lr, min_lr, epochs, length, warmup = arguments(golden.notes['schedule']['small'])
    phases = PhaseSchedule([(0.9, epochs)])
    schedulers = phase_schedulers(phases, True, warmup / epochs, 1e-8, min_lr / lr)
    found = rates(schedulers, lr, length, epochs)
    assert found == pytest.approx(golden['sched.small.lr'].tolist(), rel=1e-5, abs=1e-10)


@pytest.mark.parametrize('method', LONGER)
def test_published_settings(method):
    """Peak, minimum and epochs of the recorded run are those of ViT-B here."""
    schedule = Golden(method).notes['schedule']['published']
    units, base, least, epochs, warmup, *_ = TABLE[f'{method}/vit-b_k400_pretrain']
    assert schedule['lr'] == pytest.approx(base * units / 256)
    assert schedule['min_lr'] == pytest.approx(least * units / 256)
    assert schedule['epochs'] == epochs + LONGER[method]
    assert schedule['warmup_epochs'] == warmup


@every('name', TABLE)
def test_rates(name):
    units, base, least, epochs, warmup, *_ = TABLE[name]
    cfg, longer, length = read(name), LONGER[name.split('/')[0]], 2
    loader, steps = cfg.train_dataloader, cfg.optim_wrapper.get('accumulative_counts', 1)
    one = GPUS * loader.batch_size
    assert one * steps == units
    peak = cfg.optim_wrapper.optimizer.lr * one / cfg.auto_scale_lr.base_batch_size  # MMEngine's
    assert peak == pytest.approx(base * units / 256)
    assert epochs_of(cfg) == epochs
    found = rates(schedulers_of(cfg), peak, length, epochs)
    settings = peak, least * units / 256, epochs + longer, length, warmup
    expected = [rate(step, *settings) for step in range(epochs * length)]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-10)
    if steps > 1:
        assert loader.batch_sampler.accumulative_counts == steps
        assert cfg.auto_scale_lr.accumulative_counts == steps


@every('name', TABLE)
def test_model_and_data(name):
    *_, ratio, clips, clipping, encoder, decoder = TABLE[name]
    cfg = read(name)
    model, names = cfg.model, ('embed_dims', 'depth', 'num_heads')
    assert tuple(model.backbone[key] for key in names) == encoder
    dims = model.decoder.get('embed_dims', encoder[0])
    heads = model.decoder.get('num_heads', dims // 64)
    assert (dims, model.decoder.depth, heads) == decoder
    ((mask_ratio, _),) = cfg.default_hooks.curriculum.phases
    assert mask_ratio == ratio and model.masker.type == 'TubeMasker'
    assert cfg.optim_wrapper.get('clip_grad', {}).get('max_norm') == clipping
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.betas, optimizer.weight_decay) == ('AdamW', (0.9, 0.95), 0.05)
    dataset = cfg.train_dataloader.dataset
    # one decoding, from which each clip is cropped and masked anew
    assert (dataset.get('num_repeats', 1), dataset.get('sample_once', False)) == (clips, clips > 1)
    steps = {step.type: step for step in dataset.pipeline}
    assert steps['AntialiasedResize'].backend == 'pillow'
    assert steps['SampleFrames'].frame_interval == (2 if 'ssv2' in name else 4)
    assert not {'Flip', 'ColorJitter'} & set(steps)
    drop_path = 0.1 if name.startswith('mvd') else 0.0
    for part in (model.backbone, model.decoder):
        assert part.get('drop_path_rate', 0.0) == drop_path


def test_runs_do_not_share_a_directory():
    names = [n for n in tiny.SHIPPED if 'pretrain' in n]
    found = [
        read(n.removesuffix('.py')).get('work_dir', f'work_dirs/{Path(n).stem}') for n in names
    ]
    assert len(set(found)) == len(found)


def test_vit_g():
    model = read('videomaev2/vit-g_k400_pretrain').model
    assert model.backbone.patch_size == 14
    assert model.backbone.mlp_ratio * 1408 == pytest.approx(6144)
