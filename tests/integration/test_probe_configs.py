"""Every config of a probe made small: two real epochs, the encoder as it was, and the test."""

from pathlib import Path

import pytest
import torch

from tests.integration import tiny
from tests.integration.finetuning import tiny_finetuning

CONFIGS = [
    name for name in tiny.SHIPPED if name.endswith(('_attentive-probe.py', '_linear-probe.py'))
]


def test_there_is_a_linear_probe_for_each_attentive_one():
    assert len(CONFIGS) == 6
    assert {name.replace('attentive', 'linear') for name in CONFIGS} == {
        name for name in CONFIGS if 'linear' in name
    }


@pytest.mark.parametrize('name', CONFIGS)
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
