"""VideoInit and VideoDecode in the place of MMAction2's decord steps."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose

from tests.tools.videos import write_video

pytestmark = pytest.mark.usefixtures('mmaction_scope')
SAMPLE = dict(type='SampleFrames', clip_len=4, frame_interval=3, num_clips=2, test_mode=True)


def run(path, *steps):
    results = dict(filename=str(path), start_index=0, modality='RGB')
    return Compose([TRANSFORMS.build(step) for step in steps])(results)


@pytest.fixture(scope='module')
def video_path(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('videos') / 'a.mp4', 40)


@pytest.mark.parametrize('reader', ['pyav', 'decord'])
def test_they_do_what_the_steps_of_mmaction_do(video_path, reader):
    ours = run(video_path, dict(type='VideoInit', reader=reader), SAMPLE, dict(type='VideoDecode'))
    stock = run(
        video_path, dict(type='DecordInit', num_threads=1), SAMPLE, dict(type='DecordDecode')
    )
    assert ours['total_frames'] == stock['total_frames'] == 40
    assert ours['original_shape'] == stock['original_shape'] == ours['img_shape'] == (48, 64)
    np.testing.assert_array_equal(ours['frame_inds'], stock['frame_inds'])
    assert len(ours['imgs']) == len(stock['imgs']) == 8
    difference = np.stack(ours['imgs']).astype(int) - np.stack(stock['imgs'])
    assert abs(difference).mean() < 0.5
    assert ours['imgs'][0].dtype == np.uint8 and ours['video_reader'] is None


def test_files_from_a_storage_backend(video_path):
    backend = dict(type='VideoInit', backend_args=dict(backend='local'))
    ours, plain = (
        run(video_path, init, SAMPLE, dict(type='VideoDecode'))
        for init in (backend, dict(type='VideoInit'))
    )
    np.testing.assert_array_equal(ours['imgs'], plain['imgs'])


def test_an_unknown_reader():
    with pytest.raises(ValueError, match="reader is 'cv2'; it must be one of"):
        TRANSFORMS.build(dict(type='VideoInit', reader='cv2'))
