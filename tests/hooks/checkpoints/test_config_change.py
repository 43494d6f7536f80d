"""What is told of a config that is not that of the checkpoint."""

import pytest
from mmengine.config import Config

from pmd_mmaction.hooks.checkpoints.config_change import config_changes, is_restored
from tests.integration import tiny


def _text(**settings) -> str:
    return Config(settings).pretty_text


def test_the_settings_that_differ_are_shown_in_any_order():
    before = _text(model=dict(a=1, b=dict(c=[1, 2], d={'x.y': ()})), lr=0.1, gone=3, same=4)
    now = _text(same=4, lr=0.2, new="it's", model=dict(b=dict(c=[1, 3], d={'x.y': ()}), a=1))
    assert sorted(config_changes(before, now)) == [
        'gone: 3 -> not there',
        'lr: 0.1 -> 0.2',
        'model.b.c.1: 2 -> 3',
        'new: not there -> "it\'s"',
    ]


def test_the_format_does_not_matter():
    assert config_changes("a = dict(b=1,\n  c=['x'])", 'a = {"b": 1, "c": ["x"]}') == []


def test_where_a_run_is_started_is_no_change():
    before = _text(lr=1, work_dir='a', resume=False, load_from=None, launcher='none')
    now = _text(lr=1, work_dir='b', resume=True, load_from='x.pth', launcher='slurm')
    assert config_changes(before, now) == []


@pytest.mark.parametrize('text', ['', 'x = (', '\0', '(' * 10**5, '1', 'import os'])
def test_a_text_that_is_no_config_is_passed_over(text):
    assert config_changes(text, _text(lr=1)) == ['lr: not there -> 1']


@pytest.mark.parametrize(
    'change, same_batch, restored',
    [
        ('optim_wrapper.optimizer.lr: 1 -> 2', True, True),
        ('optim_wrapper.optimizer.lr: 1 -> 2', False, True),
        ("optim_wrapper.optimizer.type: 'SGD' -> 'AdamW'", True, False),
        ('optim_wrapper.paramwise_cfg.bias_decay_mult: 0 -> 1', True, True),
        ('optim_wrapper.clip_grad.max_norm: 1 -> 2', True, False),
        ('auto_scale_lr.enable: False -> True', True, True),
        ('auto_scale_lr.enable: False -> True', False, False),
    ],
)
def test_what_lies_in_the_optimiser_stays(change, same_batch, restored):
    assert is_restored(change, same_batch) == restored


def test_a_resumed_run_tells_the_changes(clips, tmp_path):
    cfg = tiny.tiny_config(
        clips, tmp_path, dict(type='StopAfter', epoch=0), epochs=2, log_level='WARNING'
    )
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks[1].phases[2].mask_ratio = 0.85
    runner = tiny.build(tiny.resumed(cfg))
    runner.call_hook('before_run')
    runner.load_or_resume()
    text = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    told = text.partition('The config differs from that in the checkpoint')[2].splitlines()
    assert told[1:2] == ['  custom_hooks.1.phases.2.mask_ratio: 0.8 -> 0.85']
    assert told[2:3] == [] or not told[2].startswith('  ')
