"""PasteMovingObjects in a pipeline."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from PIL import Image

from pmd_mmaction.transforms import PasteMovingObjects

TRANSPARENT = (0, 0, 0, 0)


def save(path, mode='RGBA', size=(20, 30)):
    """A green ellipse, or a green rectangle without transparency."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    picture = np.zeros((size[1], size[0], 4), np.uint8)
    picture[..., 1] = 255
    picture[..., 3] = np.where(rows**2 + columns**2 < 1, 255, 0)
    Image.fromarray(picture).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / 'objects' / 'a.png')
    save(tmp_path / 'objects' / 'deeper' / 'b.png', size=(40, 12))
    return str(tmp_path / 'objects')


def clip(frames=8, size=64):
    return [np.zeros((size, size, 3), np.uint8) for _ in range(frames)]


def test_objects_lie_in_their_boxes(folder):
    step = TRANSFORMS.build(dict(type='PasteMovingObjects', folder=folder, turn_rate=0.0))
    np.random.seed(0)
    for _ in range(20):
        results = step(dict(imgs=clip(), img_shape=(64, 64)))
        assert results['object_boxes'].shape == (1, 2, 8, 4)
        for frame, boxes in zip(results['imgs'], results['object_boxes'][0].transpose(1, 0, 2)):
            inside = np.zeros((64, 64), bool)
            for left, top, right, bottom in boxes.clip(0):
                inside[top:bottom, left:right] = True
            pasted = frame.any(-1)
            assert pasted.any() and not (pasted & ~inside).any()
            assert not frame[..., [0, 2]].any()


def test_each_clip_of_a_video_has_its_objects(folder):
    np.random.seed(0)
    results = PasteMovingObjects(folder, num_objects=3)(dict(imgs=clip(16), num_clips=2))
    boxes = results['object_boxes']
    assert boxes.shape == (2, 3, 8, 4) and len(results['imgs']) == 16
    assert not np.array_equal(*boxes)


def test_motion_follows_from_the_seed(folder):
    step, found = PasteMovingObjects(folder), []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        found.append(step(dict(imgs=clip()))['object_boxes'])
    assert np.array_equal(*found[:2]) and not np.array_equal(*found[1:])


def test_frames_that_share_an_array_are_told_apart(folder):
    np.random.seed(0)
    frame = clip(1)[0]
    results = PasteMovingObjects(folder)(dict(imgs=[frame] * 8))
    assert not frame.any()
    assert not np.array_equal(results['imgs'][0], results['imgs'][-1])


def test_boxes_are_in_proportion_to_the_frame(folder):
    def sides(size):
        np.random.seed(0)
        step = PasteMovingObjects(folder, scales=[64], shape_jitter=0.0, size_rate=0.0)
        boxes = np.stack([step(dict(imgs=clip(2, size)))['object_boxes'] for _ in range(20)])
        return np.sqrt((boxes[..., 2:] - boxes[..., :2]).prod(-1)).mean()

    assert sides(224) == pytest.approx(64, rel=0.02)
    assert sides(112) == pytest.approx(32, rel=0.04)


# --- what is refused ---


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'no .png file in .*nowhere.*make_demo_objects'):
        PasteMovingObjects(str(tmp_path / 'nowhere'))


def test_a_picture_without_transparency_is_named(tmp_path):
    save(tmp_path / 'flat.png', 'RGB')
    with pytest.raises(ValueError, match=r'flat\.png has no transparency'):
        PasteMovingObjects(str(tmp_path))(dict(imgs=clip()))


def test_a_grey_picture_is_read(tmp_path):
    save(tmp_path / 'grey.png', 'LA')
    np.random.seed(0)
    assert PasteMovingObjects(str(tmp_path))(dict(imgs=clip()))['imgs'][0].any()


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_objects=0), 'num_objects is 0'),
        (dict(scales=[32, -1]), r'scales\[1\] is -1'),
        (dict(turn_rate=-1), 'turn_rate is -1'),
        (dict(folder=''), 'folder is'),
    ],
)
def test_arguments_that_make_no_sense(folder, options, message):
    with pytest.raises(ValueError, match=message):
        PasteMovingObjects(**{'folder': folder, **options})
