"""A student goes on in MMAction2's own recognizer, backbone and head."""

import pytest
import torch
from mmengine.config import Config

from tests.integration import tiny

SIZE = dict(embed_dims=48, depth=3, num_heads=3, mlp_ratio=4, norm_cfg=dict(type='LN', eps=1e-6))


@pytest.fixture(scope='module')
def fine_tuning(finished, clips):
    """A config of MMAction2 alone."""
    cfg = Config.fromfile(tiny.CONFIGS / '_base_' / 'default_runtime.py')
    loader = finished[1].train_dataloader.to_dict()
    loader['dataset']['pipeline'] = loader['dataset']['pipeline'][1:]  # no SeedAugmentation
    cfg.merge_from_dict(
        dict(
            custom_imports=None,
            model=dict(
                type='Recognizer3D',
                data_preprocessor=finished[1].model.data_preprocessor.to_dict(),
                backbone=dict(type='VisionTransformer', use_mean_pooling=True, **SIZE, **tiny.GRID),
                cls_head=dict(
                    type='TimeSformerHead', num_classes=12, in_channels=48, average_clips='prob'
                ),
            ),
            train_dataloader=loader,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
            log_level='ERROR',
        )
    )
    return cfg


@pytest.mark.parametrize('name', ['phase_3_student.pth', 'phase_1_student.pth', 'epoch_9.pth'])
def test_the_encoder_is_loaded_completely(finished, fine_tuning, tmp_path, name):
    fine_tuning.work_dir = str(tmp_path)
    fine_tuning.load_from = str(tiny.Path(finished[1].work_dir) / name)
    runner = tiny.build(fine_tuning)
    runner._init_model_weights()
    runner.load_or_resume()
    assert type(runner.model.backbone).__module__.startswith('mmaction.')
    found = tiny.read_checkpoint(fine_tuning.load_from)['state_dict']
    own = runner.model.state_dict()
    missing = {key.rsplit('.', 1)[0] for key in own.keys() - found.keys()}
    assert missing == {'cls_head.fc_cls', 'backbone.fc_norm'}
    for key in own.keys() & found.keys():
        assert torch.equal(own[key], found[key]), key
    unused = {key for key in found.keys() - own.keys() if key.startswith('backbone.')}
    assert unused == {'backbone.norm.weight', 'backbone.norm.bias'}


def test_its_tokens_are_those_of_the_student(finished, fine_tuning, tmp_path):
    fine_tuning.work_dir = str(tmp_path)
    fine_tuning.load_from = str(tiny.Path(finished[1].work_dir) / 'phase_3_student.pth')
    runner = tiny.build(fine_tuning)
    runner._init_model_weights()
    runner.load_or_resume()
    student, stock = finished[0].model.backbone.eval(), runner.model.backbone.eval()
    clips = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (tokens,) = student.encode(clips, layers=[2]).layers
        torch.testing.assert_close(stock(clips), stock.fc_norm(tokens.mean(1)))


def test_fine_tuning_runs(finished, fine_tuning, tmp_path):
    fine_tuning.work_dir = str(tmp_path)
    fine_tuning.load_from = str(tiny.Path(finished[1].work_dir) / 'phase_3_student.pth')
    runner = tiny.train(fine_tuning)
    assert runner.iter == 3
    assert (tmp_path / 'epoch_1.pth').is_file()
