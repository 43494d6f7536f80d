"""The pieces of SMILE's motion against numbers of its own code.

The file holds random numbers that its code drew, what it made of them, and pictures and frames of
synthetic content: data and figures only.
"""

import json
import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from pmd_mmaction.transforms.motion.boxes import (
    anchor_shapes,
    boxes_around,
    draw_angles,
    draw_shape,
    draw_sizes,
    round_boxes,
)
from pmd_mmaction.transforms.motion.key_frames import draw_key_frames, draw_kinds, fill_between
from pmd_mmaction.transforms.motion.pasting import (
    paste_object,
    paste_objects,
    resize_object,
    rotate_object,
)
from pmd_mmaction.transforms.motion.trajectories import draw_centres, place
from tests.models.recognizers.golden import FOLDER

GOLDEN = np.load(FOLDER / 'smile_motion.npz')
NOTES = json.loads(bytes(GOLDEN['meta_json']))
MOTIONS = [key for key in NOTES if re.fullmatch(r'motion_seed\d+', key)]
PATHS = sorted({m[1] for key in GOLDEN if (m := re.match(r'(motion_seed\d+\.path\d+)\.', key))})
SIDE, SCALES = 224, (32, 48, 56, 64, 96, 128)


def of(prefix, name):
    return GOLDEN[f'{prefix}.{name}']


def sizes_of(boxes):
    return boxes[..., 2:] - boxes[..., :2]


# --- paths ---


@pytest.mark.parametrize('path', PATHS)
def test_paths_of_the_recorded_points(path):
    frames, extent, shift = len(of(path, 'picked')), of(path, 'scale'), of(path, 'shift')
    centres = place(of(path, 'smoothed'), extent, shift, frames, (SIDE, SIDE))
    np.testing.assert_array_equal(centres, of(path, 'centres'))
    drawn = iter([extent, *shift])
    rng = SimpleNamespace(random_sample=lambda _: of(path, 'raw'), randint=lambda *_: next(drawn))
    np.testing.assert_array_equal(draw_centres(frames, SIDE, SIDE, rng), centres)


def test_drawn_paths_are_smooth_and_inside_and_of_all_extents():
    rng, extents = np.random.RandomState(0), []
    for _ in range(300):
        centres = draw_centres(16, 240, SIDE, rng)
        assert centres.shape == (16, 2) and (centres >= 0).all()
        assert (centres < (SIDE, 240)).all()
        extents.append(np.ptp(centres, axis=0).max())
        assert np.abs(np.diff(centres, axis=0)).max() <= extents[-1] / 2
    assert 25 < min(extents) < 50 and 165 < max(extents) < 180


@pytest.mark.parametrize('frames, side', [(2, 32), (4, 32), (8, 48)])
def test_paths_of_small_clips(frames, side):
    rng = np.random.RandomState(1)
    for _ in range(50):
        centres = draw_centres(frames, side, side, rng)
        assert centres.shape == (frames, 2) and (centres >= 0).all() and (centres < side).all()


# --- key frames ---


def test_values_between_key_frames():
    values, keys = GOLDEN['keyframes.values'], GOLDEN['keyframes.indices']
    for kind in ('uniform', 'accelerate', 'decelerate'):
        found = fill_between(values, keys, [kind] * (len(keys) - 1))
        np.testing.assert_allclose(found, GOLDEN[f'keyframes.{kind}'], rtol=1e-12)


def test_key_frames_are_drawn_from_those_of_smile():
    (key,) = [key for key in NOTES if key.startswith('key_frame_indices')]
    recorded = set(map(tuple, NOTES[key]))
    rng, draws = np.random.RandomState(0), 4000
    found = Counter(tuple(draw_key_frames(16, rng)) for _ in range(draws))
    assert recorded <= set(found)
    assert (0, 15) in found
    assert {keys[1] for keys in found if len(keys) == 3} == {6, 7, 8, 9}
    assert {keys[1:3] for keys in found if len(keys) == 4} == {(4, 9), (4, 10), (5, 9), (5, 10)}
    for inner, share in ((0, 0.5), (1, 0.3), (2, 0.2)):
        count = sum(n for keys, n in found.items() if len(keys) == inner + 2)
        assert count / draws == pytest.approx(share, abs=0.03)


def test_key_frames_of_small_clips():
    rng = np.random.RandomState(0)
    for frames in (2, 3, 4, 8):
        for _ in range(100):
            keys = draw_key_frames(frames, rng)
            assert keys == sorted(set(keys)) and (keys[0], keys[-1]) == (0, frames - 1)


def test_kinds_have_their_shares():
    found = Counter(draw_kinds(range(4001), np.random.RandomState(0)))
    shares = dict(uniform=0.7, accelerate=0.15, decelerate=0.15)
    assert found.keys() == shares.keys()
    for kind, share in shares.items():
        assert found[kind] / 4000 == pytest.approx(share, abs=0.03)


# --- boxes ---


def test_anchors():
    np.testing.assert_allclose(anchor_shapes(SCALES), GOLDEN['anchors_wh'], rtol=1e-6)


def test_shapes_are_jittered_anchors():
    rng = np.random.RandomState(0)
    shapes = np.stack([draw_shape(SCALES, 0.18, rng) for _ in range(500)])
    off = np.abs(np.log(shapes[:, None] / anchor_shapes(SCALES)))  # (draws, anchors, 2)
    assert (off.max(-1).min(-1) <= 0.18).all() and off.max(-1).min(-1).max() > 0.12
    for motion in MOTIONS:
        off = np.abs(np.log(of(motion, 'box_shapes_wh')[:, None] / anchor_shapes(SCALES)))
        assert (off.max(-1).min(-1) <= 0.18).all()


@pytest.mark.parametrize('motion', MOTIONS)
def test_boxes_of_the_recorded_centres_and_sizes(motion):
    boxes = of(motion, 'boxes_float')
    for k, own in enumerate(boxes):
        found = boxes_around(of(f'{motion}.path{k}', 'centres'), sizes_of(own))
        np.testing.assert_allclose(found, own, rtol=0, atol=1e-9)
        np.testing.assert_allclose(sizes_of(own)[0], of(motion, 'box_shapes_wh')[k])
    np.testing.assert_array_equal(round_boxes(boxes), of(motion, 'boxes_rounded'))


@pytest.mark.parametrize('keys', [[0, 15], [0, 6, 15], [0, 4, 10, 15]])
def test_sizes_and_angles_change_no_faster_than_they_may(keys):
    rng, kinds = np.random.RandomState(0), ['uniform'] * (len(keys) - 1)
    growth, turns = [], []
    for _ in range(300):
        sizes = draw_sizes(np.array([40.0, 60.0]), keys, kinds, 0.025, rng)
        assert sizes.shape == (16, 2) and sizes[0].tolist() == [40, 60]
        growth.append(np.diff(np.log(sizes[keys]), axis=0) / np.diff(keys)[:, None])
        angles = draw_angles(keys, kinds, 6.0, rng)
        assert angles.shape == (16,) and angles[0] == 0
        turns.append(np.diff(angles[keys]) / np.diff(keys))
    for found, rate in ((growth, 0.025), (turns, 6.0)):
        assert 0.97 * rate < np.abs(found).max() <= rate * (1 + 1e-9)
        assert np.abs(np.mean(found)) < 0.1 * rate


# --- pasting ---


def test_turned_objects():
    angles = GOLDEN['paste.rotation_angles']
    for k, f in np.ndindex(angles.shape):
        found = rotate_object(GOLDEN[f'paste.object{k}_frame{f}'], angles[k, f])
        expected = GOLDEN[f'paste.object{k}_frame{f}_rotated']
        np.testing.assert_allclose(found.astype(int), expected, rtol=0, atol=1)


def test_pasted_objects():
    frames, boxes = list(GOLDEN['paste.frames_in'].copy()), GOLDEN['paste.boxes']
    order = [int(k) for k in re.findall(r'\d', NOTES['paste']['pasting_order'].partition('[')[2])]
    for k in order:
        for f, frame in enumerate(frames):
            paste_object(frame, GOLDEN[f'paste.object{k}_frame{f}_rotated'], boxes[k, f])
    np.testing.assert_allclose(np.stack(frames).astype(int), GOLDEN['paste.frames_out'], atol=1)


@pytest.mark.parametrize('motion', [m for m in MOTIONS if f'{m}.frames_out' in GOLDEN])
def test_a_clip_with_moving_objects(motion):
    expected, boxes = of(motion, 'frames_out'), of(motion, 'boxes_rounded')
    pictures = [GOLDEN[f'object_image_{k}'] for k in of(motion, 'object_index')]
    sources = of(motion, 'source_frame_index')
    for k, picture in enumerate(pictures):
        source = resize_object(picture, *sizes_of(boxes)[k, sources[k]])
        for f in (0, len(expected) - 1):
            found = resize_object(source, *sizes_of(boxes)[k, f])
            resized = of(motion, f'object{k}_resized_frame{f}')
            np.testing.assert_allclose(found.astype(int), resized, rtol=0, atol=1)
    clip = [
        np.full((SIDE, SIDE, 3), (40 + 5 * t, 90, 200 - 6 * t), np.uint8)
        for t in range(len(expected))
    ]
    found = paste_objects(clip, pictures, boxes, of(motion, 'rotation_angles'), sources)
    np.testing.assert_allclose(np.stack(found).astype(int), expected, rtol=0, atol=1)
    assert (clip[0] == clip[0][0, 0]).all()  # the frames that came in are as they were


def test_what_lies_outside_is_cut():
    frame = np.zeros((8, 8, 3), np.uint8)
    picture = np.full((4, 4, 4), 255, np.uint8)
    for box in ((-9, 0, -5, 4), (0, 8, 4, 12)):
        paste_object(frame, picture, box)
        assert not frame.any()
    paste_object(frame, picture, (-2, 6, 2, 10))
    assert frame[6:, :2].all() and np.count_nonzero(frame) == 2 * 2 * 3
