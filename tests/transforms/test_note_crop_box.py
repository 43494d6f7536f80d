"""The box of a clip: a picture of coordinates, cropped and flipped, tells where it lies."""

import random

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmaction.utils import register_all_modules
from mmcv.transforms import Compose

from pmd_mmaction.transforms import NoteCropBox

register_all_modules(init_default_scope=True)
HEIGHT, WIDTH = 120, 200
SMALL = dict(type='Resize', scale=(64, 64), keep_ratio=False)
PIPELINES = dict(
    nothing=[],
    area=[dict(type='RandomResizedCrop', area_range=(0.3, 0.7)), SMALL],
    scales=[
        dict(type='MultiScaleCrop', input_size=64, scales=(1, 0.8), random_crop=True),
        SMALL,
    ],
    centre=[dict(type='Resize', scale=(-1, 80)), dict(type='CenterCrop', crop_size=64)],
    twice=[dict(type='RandomCrop', size=100), SMALL, dict(type='RandomCrop', size=40)],
    flip=[dict(type='RandomResizedCrop'), SMALL, dict(type='Flip', flip_ratio=1.0)],
    kept=[dict(type='RandomResizedCrop'), SMALL, dict(type='Flip', flip_ratio=0.0)],
    upside_down=[
        dict(type='RandomCrop', size=64),
        dict(type='Flip', flip_ratio=1.0, direction='vertical'),
    ],
)


def _run(steps, **results):
    """A frame whose two channels are the relative column and row of each pixel's centre."""
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT)
    frame = np.stack([x, y, y], -1).astype(np.float32)
    steps = [TRANSFORMS.build(dict(step)) for step in steps]
    start = dict(imgs=[frame], img_shape=(HEIGHT, WIDTH), modality='RGB', **results)
    return Compose([*steps, NoteCropBox()])(start)


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('steps', PIPELINES.values(), ids=PIPELINES)
def test_the_box_is_where_the_pixels_come_from(steps, seed):
    random.seed(seed)
    np.random.seed(seed)
    results = _run(steps)
    left, top, right, bottom = results['crop_box'][0]
    image = results['imgs'][0]
    height, width = image.shape[:2]
    columns = left + (right - left) * (np.arange(width) + 0.5) / width
    rows = top + (bottom - top) * (np.arange(height) + 0.5) / height
    # resizing repeats the outermost pixels
    np.testing.assert_allclose(image[0, 2:-2, 0], columns[2:-2], atol=4e-3)
    np.testing.assert_allclose(image[2:-2, 0, 1], rows[2:-2], atol=6e-3)


def test_a_row_for_each_clip():
    assert _run([], num_clips=3)['crop_box'].tolist() == [[0, 0, 1, 1]] * 3
    assert _run([])['crop_box'].dtype == np.float32


def test_crops_that_tell_no_place_are_refused():
    with pytest.raises(ValueError, match='leaves no crop_quadruple.*use RandomResizedCrop'):
        _run([dict(type='ThreeCrop', crop_size=(120, 120))])


@pytest.mark.parametrize('ratio', [0.0, 1.0])
def test_a_flip_before_the_crop_is_refused_whether_it_happened_or_not(ratio):
    with pytest.raises(ValueError, match='put Flip after the crops'):
        _run([dict(type='Flip', flip_ratio=ratio), dict(type='RandomCrop', size=50)])
