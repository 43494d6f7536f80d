"""Every config of a probe made small: two real epochs, the encoder as it was, and the test."""

from pathlib import Path

import pytest
import torch

from tests.integration import tiny
from tests.integration.finetuning import settings_but, tiny_finetuning
from tests.integration.shipped import config_of

CONFIGS = [
    name for name in tiny.SHIPPED if name.endswith(('_attentive-probe.py', '_linear-probe.py'))
]
# Each data set and each head
TRAINED = [
    'pmd/vit-b_k400_linear-probe.py',
    'pmd/vit-b_ssv2_attentive-probe.py',
    'pmd/vit-tiny_demo_attentive-probe.py',
    'pmd/vit-tiny_demo_linear-probe.py',
]
OF_THE_HEAD = [
    'model.cls_head.type',
    'model.backbone.use_mean_pooling',
    'model.backbone.return_feat_map',
]


def test_there_is_a_linear_probe_for_each_attentive_one():
    assert len(CONFIGS) == 6
    assert {name.replace('attentive', 'linear') for name in CONFIGS} == {
        name for name in CONFIGS if 'linear' in name
    }


@pytest.mark.parametrize('name', TRAINED)
def test_two_epochs_and_the_test(name, clips, finished, tmp_path):
    student = Path(finished[1].work_dir) / 'phase_3_student.pth'
    cfg = tiny_finetuning(name, clips, tmp_path, student)
    cfg.optim_wrapper.optimizer.lr = 1e-3
    runner = tiny.build(cfg)
    head = tiny.snapshot(runner.model.cls_head)
    tiny.finish(runner)
    start, trained = tiny.read_checkpoint(student)['state_dict'], runner.model.state_dict()
    for key in (k for k in trained if k.startswith('backbone.') and 'fc_norm' not in k):
        assert torch.equal(trained[key], start[key]), key
    for key, value in runner.model.cls_head.state_dict().items():
        assert not torch.equal(value, head[key]), key
    assert list(tmp_path.glob('best_acc_top1_epoch_*.pth'))
    assert 0 <= runner.test()['acc/top1'] <= 1


@pytest.mark.parametrize(
    'name, same_data, same_head',
    [
        ('b_k400_attentive', 'b_k400_linear', 'b_ssv2_attentive'),
        ('b_ssv2_linear', 'b_ssv2_attentive', 'b_k400_linear'),
    ],
)
def test_the_others_are_the_data_of_one_trained_and_the_head_of_another(name, same_data, same_head):
    name, same_data, same_head = (f'pmd/vit-{x}-probe.py' for x in (name, same_data, same_head))
    assert {name, *TRAINED} <= set(CONFIGS) and {same_data, same_head} <= set(TRAINED)
    assert settings_but(OF_THE_HEAD, name) == settings_but(OF_THE_HEAD, same_data)
    model, other = config_of(name).model, config_of(same_head).model
    assert model.cls_head.type == other.cls_head.type
    for key in ('use_mean_pooling', 'return_feat_map'):
        assert model.backbone.get(key) == other.backbone.get(key)
