"""AntialiasedResize against Pillow, whose pixels VideoMAE and MVD train on."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from PIL import Image

from pmd_mmaction.transforms import AntialiasedResize

pytestmark = pytest.mark.usefixtures('mmaction_scope')
SIZES = [(320, 320), (280, 280), (225, 211), (224, 224), (168, 240), (90, 70)]  # height, width


def frames(height, width):
    """Three crops of a noisy picture with edges, not contiguous in memory."""
    rng = np.random.default_rng(height + width)
    whole = rng.integers(0, 256, (3, height + 9, width + 5, 3), dtype=np.uint8)
    whole[:, ::7] = 255
    return [frame[4 : 4 + height, 2 : 2 + width] for frame in whole]


def pillow(frame, width, height):
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))


def resized(step, size):
    results = step(dict(imgs=frames(*size), img_shape=size))
    assert [frame.dtype for frame in results['imgs']] == [np.uint8] * 3
    return results


@pytest.mark.parametrize('size', SIZES)
def test_pillow_gives_the_pixels_of_pillow(size):
    step = TRANSFORMS.build(dict(type='AntialiasedResize', scale=(224, 192), backend='pillow'))
    results = resized(step, size)
    assert results['img_shape'] == (192, 224)
    expected = [pillow(frame, 224, 192) for frame in frames(*size)]
    np.testing.assert_array_equal(results['imgs'], expected)


@pytest.mark.parametrize('size', SIZES)
def test_torch_differs_by_rounding_alone(size):
    results = resized(AntialiasedResize((224, 192)), size)
    assert results['img_shape'] == (192, 224)
    expected = np.stack([pillow(frame, 224, 192) for frame in frames(*size)]).astype(int)
    difference = abs(expected - np.stack(results['imgs']))
    assert difference.max() <= 2 and difference.mean() < 0.3


@pytest.mark.parametrize('size', [(320, 480), (90, 70)])
@pytest.mark.parametrize('backend', ['torch', 'pillow'])
def test_a_number_is_the_short_side(size, backend):
    results = resized(AntialiasedResize(100, backend), size)
    height, width = results['img_shape']
    assert min(height, width) == 100 and width / height == pytest.approx(
        size[1] / size[0], rel=0.02
    )
    expected = [pillow(frame, width, height) for frame in frames(*size)]
    difference = np.abs(np.stack(expected).astype(int) - np.stack(results['imgs']))
    assert difference.max() <= 2, 'larger ones too'


def test_that_is_another_picture_than_that_of_the_plain_step():
    """Otherwise the two tests above would say nothing."""
    plain = TRANSFORMS.build(dict(type='Resize', scale=(224, 192), keep_ratio=False))
    found = resized(plain, (320, 320))['imgs']
    expected = np.stack([pillow(frame, 224, 192) for frame in frames(320, 320)]).astype(int)
    assert abs(expected - np.stack(found)).mean() > 5


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(scale=(224, 0)), 'AntialiasedResize: scale height is 0'),
        (dict(scale=(2.5, 4)), r'scale width is 2\.5'),
        (dict(scale=(1, 2, 3)), r'scale is \(1, 2, 3\)'),
        (dict(scale=(4, 4), backend='cv2'), "backend is 'cv2'; it must be one of"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        AntialiasedResize(**options)


def test_repr():
    assert repr(AntialiasedResize((4, 6))) == "AntialiasedResize(scale=(4, 6), backend='torch')"
