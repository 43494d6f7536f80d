"""What the tools make of every stored form, and of the same forms when they are damaged."""

import av
import numpy as np
import pytest

from pmd_mmaction.curation.video_check import check_video
from pmd_mmaction.curation.video_resize import ResizeSettings, resize_video
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import (
    Orientation,
    best_stream,
    decode_in_order,
    open_video,
    orientation,
)
from tests.datasets.stored_forms import FORMS, number

SETTINGS = ResizeSettings(short_side=48, crf=5, preset='ultrafast')
# Headers that tell another length than the pictures have.
UNTRUE = {
    'negative_start.mp4': '30 frames, header says 40',
    'cut_start.mp4': '35 frames, header says 40',
    'cut_both.mp4': '26 frames, header says 40',
    'cut_within_a_group.mp4': '8 frames, header says 40',
    'open_start.mp4': '28 frames, header says 30',
    'open_start.hevc.mp4': '28 frames, header says 29',
    'sizes.avi': '40 frames, header says 1600',
    'packed.avi': '38 frames, header says 40',
    'longer_sound.mkv': 'the picture ends at 1.60 s, the header says 2.41 s',
    'two_videos.mkv': 'the picture ends at 1.60 s, the header says 8.00 s',
}


@pytest.mark.parametrize('name', FORMS)
def test_a_good_video_is_kept_and_an_untrue_header_noted(stored_form, name):
    path, frames = str(stored_form(name)), len(FORMS[name].numbers)
    for reader in ('pyav', 'decord'):
        assert check_video(path, frames, reader=reader) == (None, UNTRUE.get(name, ''), frames)
        assert check_video(path, frames, decode=False, reader=reader) == (None, '', frames)


@pytest.mark.parametrize('name', FORMS)
def test_a_copy_holds_every_frame_in_order_from_time_zero(stored_form, tmp_path, name):
    path, copy = stored_form(name), tmp_path / 'copies' / f'{name}.mp4'
    expected = list(FORMS[name].numbers)
    assert resize_video((str(path), str(copy)), SETTINGS) == len(expected)
    with VideoReader(str(copy)) as video:
        assert [number(image) for image in video.read(range(len(video)))] == expected
    with open_video(str(copy)) as container:
        frames = list(decode_in_order(container, best_stream(container)))
        ticks = [frame.pts for frame in frames]
        assert ticks[0] == 0 and all(np.diff(ticks) > 0)
        assert orientation(frames[0]) == Orientation()
        assert container.streams.video[0].frames == len(expected)


@pytest.mark.parametrize('name', ['variable_rate.mp4', 'pause.mkv', 'late_start.mp4', 'h264.avi'])
def test_a_copy_keeps_the_times(stored_form, tmp_path, name):
    path, copy = stored_form(name), tmp_path / 'copies' / f'{name}.mp4'
    resize_video((str(path), str(copy)), SETTINGS)
    times = []
    for video in (path, copy):
        with open_video(str(video)) as container:
            stream = best_stream(container)
            ticks = sorted(frame.pts for frame in decode_in_order(container, stream))
            times.append([float(tick * stream.time_base) for tick in ticks])
    before, after = map(np.array, times)
    np.testing.assert_allclose(after, before - before[0], atol=1e-3)


# ---------------------------------------------------------------------- damage

CUT = [
    'h264.mp4', 'index_first.mp4', 'h264.mkv', 'h264.flv', 'h264.ts', 'mpeg4.avi', 'mjpeg.avi',
    'raw.avi', 'vp8.webm', 'vp9.webm', 'av1.webm', 'hevc.mkv', 'prores.mov', 'mpeg2.ts',
]  # fmt: skip
ZEROED = [
    'h264.mp4', 'index_first.mp4', 'h264.mkv', 'h264.flv', 'h264.ts', 'h264.avi', 'mpeg4.avi',
    'mpeg4.mp4', 'mpeg2.mpg', 'mjpeg.avi', 'hevc.mp4', 'vp8.webm', 'vp9.webm', 'av1.mp4',
    'wmv2.wmv',
]  # fmt: skip


@pytest.fixture
def damaged(stored_form, tmp_path):
    """Makes a damaged copy of a form."""

    def make(name, damage):
        path = tmp_path / f'damaged.{name}'
        path.write_bytes(damage(stored_form(name).read_bytes()))
        return path

    return make


def _refused(path):
    report = check_video(str(path))
    copy = path.with_name(f'{path.name}.copy.mp4')
    with pytest.raises(Exception) as error:
        resize_video((str(path), str(copy)), SETTINGS)
    assert error.type.__name__ != 'AssertionError' and not copy.exists()
    return report.problem


@pytest.mark.parametrize('share', [0.5, 0.9])
@pytest.mark.parametrize('name', CUT)
def test_a_file_that_was_cut_off_is_left_out(damaged, name, share):
    path = damaged(name, lambda content: content[: int(share * len(content)) | 1])
    assert _refused(path) in ('decode error', 'not a video', 'wrong length')


@pytest.mark.parametrize('name', ZEROED)
def test_a_range_of_zeros_is_found(damaged, name):
    def damage(content):
        middle, length = len(content) // 2, max(2048, len(content) // 10)
        return content[:middle] + bytes(length) + content[middle + length :]

    assert _refused(damaged(name, damage)) is not None


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.ts', '.flv', '.avi'])
def test_missing_packets_of_h264_are_found(stored_form, tmp_path, suffix):
    path = tmp_path / f'gap{suffix}'
    with open_video(str(stored_form(f'h264{suffix}'))) as source:
        with av.open(str(path), 'w') as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for i, packet in enumerate(source.demux(video=0)):
                if packet.dts is not None and i not in (15, 16, 17):
                    packet.stream = stream
                    target.mux(packet)
    assert _refused(path) == 'decode error'


@pytest.mark.parametrize('name', ['h264.mkv', 'av1.webm'])
def test_the_second_file_with_the_same_damage_is_found_as_well(damaged, name):
    path = damaged(name, lambda content: content[: len(content) // 2])
    reports = {check_video(str(path)) for _ in range(3)}
    assert len(reports) == 1
    assert 'ended prematurely' in reports.pop().detail


def test_damage_is_no_matter_of_what_was_read_before(damaged, stored_form):
    """The messages of one video are not taken for those of the next."""
    bad = damaged('h264.ts', lambda content: content[: len(content) // 2 | 1])
    good = stored_form('h264.mp4')
    first, between, last = (check_video(str(path)).problem for path in (good, bad, good))
    assert first is last is None and between is not None
