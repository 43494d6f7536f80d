"""A batch of two tensors is, after the preprocessor, that of MMAction2."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from pmd_mmaction.datasets import clip_collate
from pmd_mmaction.models import ClipPreprocessor

PREPROCESSOR = ClipPreprocessor(mean=[1, 2, 3], std=[4, 5, 6])


def _samples(labels, frames=(4,) * 5):
    generator = torch.Generator().manual_seed(0)
    items = []
    for i, (label, count) in enumerate(zip(labels, frames)):
        sample = ActionDataSample(metainfo=dict(sample_idx=i))
        if label is not None:
            sample.set_gt_label(label)
        shape = (1, 3, count, 8, 8)
        clip = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        items.append(dict(inputs=clip, data_samples=sample))
    return items


def _same(found, expected):
    assert torch.equal(found['inputs'], expected['inputs'])
    for a, b in zip(found['data_samples'], expected['data_samples'], strict=True):
        assert a.sample_idx == b.sample_idx
        assert ('gt_label' in a) == ('gt_label' in b)
        assert 'gt_label' not in b or torch.equal(a.gt_label, b.gt_label)
    assert found.keys() == expected.keys()


@pytest.mark.parametrize(
    'labels',
    [[3, -1, 0, 2], [torch.eye(4)[i] for i in range(4)], [None] * 4, [1, None, 2, 0]],
    ids=['one', 'several', 'none', 'some'],
)
@pytest.mark.parametrize('workers', [0, 1])
def test_the_preprocessor_gives_labels_back(labels, workers):
    (batch,) = DataLoader(_samples(labels), 4, num_workers=workers, collate_fn=clip_collate)
    expected = PREPROCESSOR(pseudo_collate(_samples(labels)), training=False)
    _same(PREPROCESSOR(batch, training=False), expected)


def test_a_batch_has_two_tensors():
    batch = clip_collate(_samples([1, 2]))
    assert batch['inputs'].shape == (2, 1, 3, 4, 8, 8) and batch['labels'].tolist() == [[1], [2]]
    assert not any('gt_label' in sample for sample in batch['data_samples'])


def test_clips_of_a_video_are_samples_of_the_batch():
    first, second, third, fourth = _samples([0, 1, 2, 3])
    found = clip_collate([[first, second], [third, fourth]])
    expected = clip_collate(_samples([0, 1, 2, 3]))
    assert torch.equal(found['inputs'], expected['inputs'])
    assert torch.equal(found['labels'], expected['labels'])


def test_clips_of_different_shapes_are_told_by_the_preprocessor():
    with pytest.raises(ValueError, match='clips of a batch have different shapes'):
        PREPROCESSOR(clip_collate(_samples([0, 1], frames=(4, 6))), training=False)
