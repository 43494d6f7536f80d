"""Misspelt arguments of ``SampleFrames``, which MMAction2 ignores."""

import pytest
from mmaction.datasets.transforms import SampleFrames
from mmaction.registry import TRANSFORMS

from pmd_mmaction.datasets import PathListDataset
from pmd_mmaction.transforms.sampling_arguments import check_sampling


@TRANSFORMS.register_module(force=True)
class EveryOther(SampleFrames):
    """Passes on what it does not know."""

    def __init__(self, *args, start=0, **kwargs):
        super().__init__(*args, **kwargs)


@TRANSFORMS.register_module(force=True)
class OneFrame(SampleFrames):
    """Passes on nothing."""

    def __init__(self, clip_len=1):
        super().__init__(clip_len)


GOOD = [
    dict(type='SampleFrames', clip_len=16, frame_interval=4, num_clips=5, test_mode=True),
    dict(type='DenseSampleFrames', clip_len=8, frame_interval=8, sample_range=64, num_clips=2),
    dict(type=SampleFrames, clip_len=16, target_fps=None),
    dict(type='EveryOther', clip_len=2, start=1, frame_interval=2),
    dict(type='OneFrame'),
    dict(type='Flip', flip_ratio=0.5),
    SampleFrames(4),
    dict(type='nobody knows'),  # whose building will say so
    'no config',
]


def test_good_ones_are_accepted(mmaction_scope):
    check_sampling(GOOD)


@pytest.mark.parametrize('index', range(5))
def test_an_unknown_argument_is_refused(mmaction_scope, index):
    with pytest.raises(TypeError, match="unknown key 'frame_intervall'; it takes .*clip_len"):
        check_sampling([dict(type='Flip'), dict(GOOD[index], frame_intervall=4)])


def test_an_argument_that_goes_nowhere_is_refused(mmaction_scope):
    with pytest.raises(TypeError, match="OneFrame: config has an unknown key 'num_clips'"):
        check_sampling([dict(type='OneFrame', num_clips=2)])


@pytest.mark.parametrize('key', ['clip_len', 'frame_interval', 'num_clips'])
@pytest.mark.parametrize('value', [0, -1, 1.5, '4', None, True])
def test_an_impossible_number_is_refused(mmaction_scope, key, value):
    with pytest.raises(ValueError, match=f'SampleFrames: {key} is {value!r}; it must be a whole'):
        check_sampling([dict(GOOD[0], **{key: value})])


def test_the_data_set_looks(mmaction_scope):
    with pytest.raises(TypeError, match="SampleFrames.*'num_clip'"):
        PathListDataset('list.txt', [dict(GOOD[0], num_clip=1)])
