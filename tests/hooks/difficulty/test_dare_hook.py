"""Which arguments and configs DAREHook refuses or accepts."""

import pytest

from pmd_mmaction.datasets import PathListDataset
from pmd_mmaction.hooks import DAREHook
from tests.integration import tiny
from tests.integration.refusals import refused


@pytest.mark.parametrize('stage_epochs', [0, -1, 1.5, None])
def test_stages_are_whole_epochs(stage_epochs):
    with pytest.raises(ValueError, match='stage_epochs.*whole number, at least 1'):
        DAREHook(stage_epochs=stage_epochs)


def test_an_unknown_region_is_refused():
    with pytest.raises(ValueError, match="region is 'place'.*one of"):
        DAREHook(region='place')


def test_an_unknown_dtype_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dare=dict(dtype='int8'))
    refused(cfg, r"DAREHook: dtype is 'int8'; it must be one of \('float16', 'float32'\)")


def test_half_precision_with_a_small_alpha_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(
        clips, tmp_path, dare=dict(dtype='float16'), model__dare=dict(alpha=0.05)
    )
    refused(cfg, "alpha = 0.05 is too small.*dtype='float32'")


def test_samples_without_an_index_are_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_shape',)
    refused(
        cfg, r"PackActionInputs in the train pipeline drops sample_idx.*meta_keys=\('img_shape', "
    )


def test_concatenated_data_sets_are_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    parts = [cfg.train_dataloader.dataset.to_dict() for _ in range(2)]
    parts[1]['ann_file'] = str(clips / 'val.txt')
    del cfg.train_dataloader['dataset']
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=parts)
    refused(cfg, 'ConcatDataset, in which indices.*merge the list files')


@pytest.mark.parametrize(
    'wrapper', [dict(type='RepeatDataset', times=2), dict(type='ClassBalancedDataset')]
)
def test_a_repeated_data_set_is_refused(clips, tmp_path, monkeypatch, wrapper):
    monkeypatch.setattr(
        PathListDataset, 'get_cat_ids', lambda self, index: [index % 2], raising=False
    )
    cfg = tiny.tiny_config(clips, tmp_path, epochs=1, param_scheduler=None)
    dataset = cfg.train_dataloader.pop('dataset').to_dict()
    if 'times' not in wrapper:
        wrapper = wrapper | dict(oversample_thr=0.9)
    cfg.train_dataloader.dataset = dict(wrapper, dataset=dataset)
    refused(cfg, f'{wrapper["type"]} gives a video several times.*RepeatAugPathListDataset')


def test_a_phase_hook_is_needed(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, model__psd=None)
    del cfg.custom_hooks[1]
    refused(cfg, 'DAREHook needs a ProgressivePhaseHook: stages are parts')


def test_a_model_with_dare_needs_the_hook(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    del cfg.custom_hooks[2]
    refused(cfg, "add dict\\(type='DAREHook'\\)")


def test_the_hook_does_nothing_for_a_model_without_dare(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, epochs=1, model__dare=None, param_scheduler=None)
    runner = tiny.train(cfg)
    assert tiny.hook_of(runner, DAREHook).complete_table() is None
    assert not list(tmp_path.glob('*.table'))
    assert 'dare' not in tiny.read_checkpoint(tmp_path / 'epoch_3.pth')
