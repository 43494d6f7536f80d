"""The numbers of MMAction2's preprocessor, from clips that stay on the host until they are sent."""

import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import default_collate, pseudo_collate

from pmd_mmaction.models import ClipPreprocessor

COLOURS = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def batch(shape=(2, 3, 4, 8, 8), size=5, dtype=torch.uint8):
    """Clips with all grey levels, labels and indices."""
    generator = torch.Generator().manual_seed(0)
    items = []
    for i in range(size):
        sample = ActionDataSample(metainfo=dict(sample_idx=10 + i)).set_gt_label(i % 3)
        clip = torch.randint(256, shape, generator=generator, dtype=torch.uint8).to(dtype)
        items.append(dict(inputs=clip, data_samples=sample))
    return items


@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
@pytest.mark.parametrize(
    'shape, options',
    [
        ((2, 3, 4, 8, 8), dict()),
        ((2, 3, 4, 8, 8), dict(to_rgb=True)),
        ((6, 3, 8, 8), dict(format_shape='NCHW')),
        ((6, 3, 8, 8), dict(format_shape='NCHW', to_rgb=True)),
    ],
)
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_the_numbers_are_those_of_mmaction2(collate, shape, options, dtype):
    options = dict(format_shape='NCTHW') | options
    ours, theirs = (
        kind(**COLOURS, **options) for kind in (ClipPreprocessor, ActionDataPreprocessor)
    )
    found = ours(collate(batch(shape, dtype=dtype)), training=True)
    expected = theirs(pseudo_collate(batch(shape, dtype=dtype)), training=True)
    assert found['inputs'].dtype == torch.float32
    assert torch.equal(found['inputs'], expected['inputs'])
    for a, b in zip(found['data_samples'], expected['data_samples'], strict=True):
        assert a.sample_idx == b.sample_idx and torch.equal(a.gt_label, b.gt_label)


def test_clips_of_different_dtypes_are_stacked_as_by_mmaction2():
    ours, theirs = (
        kind(**COLOURS, format_shape='NCTHW') for kind in (ClipPreprocessor, ActionDataPreprocessor)
    )
    items = [*batch(size=2), *batch(size=1, dtype=torch.float32)]
    found, expected = (x(pseudo_collate(items), training=True)['inputs'] for x in (ours, theirs))
    assert torch.equal(found, expected)


def test_blending_is_that_of_mmaction2():
    blending = dict(type='MixupBlending', num_classes=3)
    results = []
    for kind in ('ClipPreprocessor', 'ActionDataPreprocessor'):
        cfg = dict(type=kind, **COLOURS, format_shape='NCTHW', blending=blending)
        torch.manual_seed(0)
        result = MODELS.build(cfg)(pseudo_collate(batch()), training=True)
        results.append([result['inputs'], *(s.gt_label for s in result['data_samples'])])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert not torch.equal(results[0][0][0], results[0][0][1])


def test_blending_is_for_training_only():
    ours = ClipPreprocessor(**COLOURS, blending=dict(type='MixupBlending', num_classes=3))
    plain = ClipPreprocessor(**COLOURS)
    found, expected = (x(pseudo_collate(batch()), training=False) for x in (ours, plain))
    assert torch.equal(found['inputs'], expected['inputs'])


def test_the_batch_of_the_loader_is_left_alone():
    data = pseudo_collate(batch())
    before = [clip.clone() for clip in data['inputs']]
    result = ClipPreprocessor(**COLOURS)(data, training=True)
    result['data_samples'][0].set_field(torch.ones(3), 'feature')
    assert 'feature' not in data['data_samples'][0]
    assert all(torch.equal(a, b) for a, b in zip(data['inputs'], before, strict=True))


def test_several_sources_are_prepared_one_by_one():
    first, second = ClipPreprocessor(**COLOURS)(
        (pseudo_collate(batch(size=2)), pseudo_collate(batch(size=3)))
    )
    assert len(first['inputs']) == 2 and len(second['inputs']) == 3


def test_clips_of_different_shapes_are_refused():
    items = batch((1, 3, 4, 8, 8)) + batch((1, 3, 4, 8, 6))
    message = r'different shapes, such as \(1, 3, 4, 8, 6\) and \(1, 3, 4, 8, 8\): let the pipeline'
    with pytest.raises(ValueError, match=message):
        ClipPreprocessor(**COLOURS)(pseudo_collate(items))
