"""A run that was begun with a parameter group for each parameter goes on with few."""

import shutil

import pytest

from tests.integration import tiny

MANY = 'DefaultOptimWrapperConstructor'  # of MMEngine, as in configs of earlier releases
SETTINGS = dict(
    ratios=(0.5, 0.8),
    epochs=2,
    dare=dict(stage_epochs=1),
    optim_wrapper__clip_grad=dict(max_norm=0.05),  # far below the norm: every step is clipped
    default_hooks__checkpoint__max_keep_ckpts=-1,
)


def _rates(runner):
    """Names of what is logged of the learning rates."""
    return {key for key in runner.message_hub.log_scalars if key.endswith('lr')}


@pytest.fixture(scope='module')
def old(clips, tmp_path_factory):
    """A finished run with many groups."""
    folder = tmp_path_factory.mktemp('many')
    cfg = tiny.tiny_config(clips, folder, optim_wrapper__constructor=MANY, **SETTINGS)
    return cfg, tiny.train(cfg)


def test_steps_and_log_are_the_same(old, clips, tmp_path):
    runner = tiny.train(tiny.tiny_config(clips, tmp_path, **SETTINGS))
    groups = runner.optim_wrapper.optimizer.param_groups
    assert sorted(group['group_name'] for group in groups) == ['decay', 'no_decay']
    assert len(old[1].optim_wrapper.optimizer.param_groups) > 50
    assert tiny.same(runner.model.state_dict(), old[1].model.state_dict())
    assert _rates(runner) == _rates(old[1]) == {'train/lr', 'train/base_lr'}


@pytest.mark.parametrize('epoch', [1, 2])  # inside a phase, and where the next one begins
def test_an_old_checkpoint_is_resumed(old, clips, tmp_path, epoch):
    cfg = tiny.tiny_config(clips, tmp_path, **SETTINGS)
    folder = tiny.Path(old[0].work_dir)
    shutil.copy(folder / 'phase_1_student.pth', tmp_path)  # the auxiliary teacher of phase 2
    runner = tiny.train(tiny.resumed(cfg, folder / f'epoch_{epoch}.pth'))
    groups = runner.optim_wrapper.optimizer.param_groups
    assert sorted(group['group_name'] for group in groups) == ['decay', 'no_decay']
    assert tiny.same(runner.model.state_dict(), old[1].model.state_dict())
    # what was written at the end, parameter for parameter
    names = {p: name for name, p in runner.model.named_parameters()}
    state = {names[p]: value for p, value in runner.optim_wrapper.optimizer.state.items()}
    names = {p: name for name, p in old[1].model.named_parameters()}
    before = {names[p]: value for p, value in old[1].optim_wrapper.optimizer.state.items()}
    assert tiny.same(state, before)
    assert runner.optim_wrapper.get_lr()['base_lr'] == old[1].optim_wrapper.get_lr()['base_lr']
