"""Every way to store and to reach a frame gives the same frame, and decord's."""

import gc
import os

import av
import decord
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS
from torch.utils.data import DataLoader, Dataset

from pmd_mmaction.readers.video_reader import VideoError, VideoReader
from pmd_mmaction.transforms import VideoDecode, VideoInit
from tests.datasets import videos
from tests.tools.videos import write_sound


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    for name, recipe in {**videos.ZOO, **videos.BEYOND}.items():
        videos.write(folder / name, **recipe)
    videos.make_rotated(folder / 'gop12.mp4', folder / 'rotated.mp4')
    videos.make_cut(folder / 'gop12.mp4', folder / 'cut.mp4')
    return folder


@pytest.fixture(scope='module')
def sequential(folder):
    """All frames of each video, decoded in one go by code of its own."""
    frames = {}
    for path in folder.iterdir():
        with av.open(str(path)) as container:
            decoded = [f.to_ndarray(format='rgb24') for f in container.decode(video=0)]
        frames[path.name] = np.stack(decoded)
    frames['rotated.mp4'] = np.rot90(frames['rotated.mp4'], -1, axes=(1, 2))
    return frames


def _read(path, numbers):
    with VideoReader(str(path)) as video:
        return np.stack(video.read(numbers))


@pytest.mark.parametrize('name', [*videos.ZOO, 'rotated.mp4'])
def test_frames_are_those_of_decord(folder, name):
    path = str(folder / name)
    expected = decord.VideoReader(path, num_threads=1)
    with VideoReader(path) as video:
        assert len(video) == len(expected) == videos.FRAMES
        assert video.avg_fps == pytest.approx(expected.get_avg_fps())
        found = np.stack(video.read(range(len(video))))
    np.testing.assert_array_equal(found, expected.get_batch(range(videos.FRAMES)).asnumpy())


@pytest.mark.parametrize('name', videos.BEYOND)
def test_frames_that_decord_does_not_get(folder, name, sequential):
    np.testing.assert_array_equal(_read(folder / name, range(videos.FRAMES)), sequential[name])


def test_an_edit_list_is_followed(folder, sequential):
    with VideoReader(str(folder / 'cut.mp4')) as video:
        assert len(video) == videos.FRAMES - 5
        found = video.read([0, 20])
    np.testing.assert_array_equal(found, sequential['gop12.mp4'][[5, 25]])


ALL = [*videos.ZOO, *videos.BEYOND, 'rotated.mp4', 'cut.mp4']


@pytest.mark.parametrize('name', ALL)
@settings(max_examples=12, deadline=None)
@given(numbers=st.lists(st.integers(0, videos.FRAMES - 6), min_size=1, max_size=6))
def test_the_way_to_a_frame_does_not_matter(folder, sequential, name, numbers):
    np.testing.assert_array_equal(_read(folder / name, numbers), sequential[name][numbers])


def test_only_what_is_needed_is_decoded(folder, monkeypatch):
    """From the last key frame on; a frame that nothing depends on is not decoded."""
    with VideoReader(str(folder / 'gop12.mp4')) as video:
        packets = []

        class Spy:
            def __init__(self, codec):
                object.__setattr__(self, 'codec', codec)

            def __getattr__(self, name):
                return getattr(self.codec, name)

            def __setattr__(self, name, value):
                setattr(self.codec, name, value)

            def decode(self, packet):
                frames = self.codec.decode(packet)
                packets.append(packet is not None)
                return frames

        video._codec = Spy(video._codec)
        video.read([35])
        ((first, last),) = video._index.runs({video._index.order[35]})
    assert last - first < 12
    assert sum(packets) < last - first + 1


def test_frames_before_an_open_group_are_found_at_once(folder, monkeypatch):
    """They come after a key frame, yet need what was before it."""
    runs, decode = [], VideoReader._decode_run
    monkeypatch.setattr(
        VideoReader,
        '_decode_run',
        lambda self, first, *args: (runs.append(first), decode(self, first, *args))[1],
    )
    with VideoReader(str(folder / 'open_gop.mp4')) as video:
        times, entries = video._index.times, video._index.entries
        leading = [i for i in range(entries[1] + 1, len(times)) if times[i] < times[entries[1]]]
        assert leading, 'the video has no such frame'
        order = video._index.order
        # The key frame asked for as well does not keep its run from beginning earlier.
        video.read([order.index(leading[0]), order.index(entries[1])])
    assert runs == [entries[0]]


def test_a_damaged_frame_is_an_error(folder, tmp_path):
    path = tmp_path / 'damaged.mp4'
    content = bytearray((folder / 'gop12.mp4').read_bytes())
    with VideoReader(str(folder / 'gop12.mp4')) as video:
        position, size = video._index.packets[0].pos, video._index.packets[0].size
    content[position : position + size] = bytes(size)
    path.write_bytes(content)
    with VideoReader(str(path)) as video:
        with pytest.raises(VideoError, match='damaged.mp4: '):
            video.read([5])
        assert video.read([30])[0].shape == (64, 96, 3)


# ---------------------------------------------------------------------- what stays behind


def _open_files():
    links = [f'/proc/self/fd/{number}' for number in os.listdir('/proc/self/fd')]
    return {os.readlink(link) for link in links if os.path.islink(link)}


def test_the_file_is_freed_without_the_garbage_collector(folder, tmp_path):
    path, sound = str(folder / 'gop12.mp4'), str(write_sound(tmp_path / 'sound.mp4'))
    gc.disable()
    try:
        with VideoReader(path) as video:
            assert path in _open_files()
            video.read([3])
        assert path not in _open_files()
        with pytest.raises(VideoError):
            VideoReader(sound)
        assert sound not in _open_files()
    finally:
        gc.enable()


def test_the_reader_is_closed_after_an_error(folder):
    results = VideoInit()(dict(filename=str(folder / 'gop12.mp4')))
    video = results['video_reader']
    results['frame_inds'] = np.array([videos.FRAMES])
    with pytest.raises(IndexError, match='gop12.mp4'):
        VideoDecode()(results)
    assert video._index is None and video._frames == [] and results['video_reader'] is None


def test_a_flip_turns_a_repeated_frame_once(mmaction_scope, folder):
    """MMAction2's Flip writes into the pictures."""
    results = VideoInit()(dict(filename=str(folder / 'gop12.mp4')))
    results['frame_inds'] = np.array([5, 5])
    results = VideoDecode()(results)
    expected = results['imgs'][0][:, ::-1].copy()
    TRANSFORMS.build(dict(type='Flip', flip_ratio=1.0))(dict(results, modality='RGB'))
    np.testing.assert_array_equal(results['imgs'], [expected, expected])


class Frames(Dataset):
    """A few frames of a video, by index."""

    def __init__(self, video_path):
        self.video_path = video_path

    def __len__(self):
        return 6

    def __getitem__(self, index):
        results = VideoInit()(dict(filename=self.video_path))
        results['frame_inds'] = np.array([index, 5 * index + 7])
        return torch.from_numpy(np.stack(VideoDecode()(results)['imgs']))


@pytest.mark.parametrize('persistent', [False, True])
def test_forked_workers_read_what_the_main_process_reads(folder, persistent):
    frames = Frames(str(folder / 'gop12.mp4'))
    expected = torch.stack([frames[i] for i in range(len(frames))])  # before the fork too
    loader = DataLoader(
        frames,
        batch_size=3,
        num_workers=2,
        persistent_workers=persistent,
        multiprocessing_context='fork',
    )
    for _ in range(2):
        assert torch.equal(torch.cat(list(loader)), expected)
