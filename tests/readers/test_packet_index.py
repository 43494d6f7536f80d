"""Where the packets prove nothing, the reader decodes in order; damage is an error."""

import random
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from pmd_mmaction.readers.decord_reader import DecordReader
from pmd_mmaction.readers.h264_packets import H264Look, _only_slices
from pmd_mmaction.readers.packet_look import (
    Malformed,
    Unproven,
    bits_of,
    exp_golomb,
    length_prefixed,
)
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import (
    VideoError,
    best_stream,
    decode_in_order,
    open_video,
)
from pmd_mmaction.readers.vpx_av1_packets import Vp8Look
from tests.datasets.numbered_videos import encode, number, picture
from tests.datasets.stored_forms import FORMS, write

READERS = [VideoReader, DecordReader]
X265 = {'x265-params': 'log-level=none:keyint=12:scenecut=0:bframes=2:b-adapt=0'}
X264 = {'x264-params': 'keyint=12:scenecut=0:bframes=2:b-adapt=0'}
# Groups of 12: a key frame, and one that others refer to.
MISSING = {'key': 12, 'reference': 13}


def _in_order(path: Path) -> list[np.ndarray]:
    with open_video(str(path)) as container:
        frames = decode_in_order(container, best_stream(container))
        return [frame.to_ndarray(format='rgb24') for frame in frames]


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('missing', MISSING)
@pytest.mark.parametrize('codec, options', [('libx264', X264), ('libx265', X265)])
def test_a_missing_picture_is_noticed(tmp_path, codec, options, missing, reader):
    """The decoder makes up or leaves out others, which only decoding tells."""

    def drop(packets):
        return [packet for i, packet in enumerate(packets) if i != MISSING[missing]]

    path = tmp_path / 'a.mp4'
    encode(path, codec, options, arrange=drop)
    expected = _in_order(path)
    with reader(str(path)) as video:
        assert video._index is None and len(video) == len(expected)
        for n in (0, 20, len(video) - 1):
            np.testing.assert_array_equal(video.read([n])[0], expected[n])


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize(
    'name', ['h264.mp4', 'hevc.mp4', 'h264.mkv', 'mpeg4.avi', 'mpeg2.ts', 'vp9.webm', 'av1.mp4']
)
def test_a_damaged_packet_gives_an_error_or_what_decoding_in_order_gives(tmp_path, name, reader):
    path = write(tmp_path, name)
    content, rng = path.read_bytes(), random.Random(0)
    with open_video(str(path)) as container:
        packets = [p for p in container.demux(best_stream(container)) if p.size]
    for kind in ('zeros', 'noise', 'cut'):
        packet = packets[rng.randrange(len(packets))]
        place = content.index(bytes(packet)[-16:])
        damage = dict(zeros=bytes(16), noise=rng.randbytes(16), cut=b'')[kind]
        path.write_bytes(content[:place] + damage + content[place + len(damage) :])
        if kind == 'cut':
            path.write_bytes(content[: place + 8])
        try:
            expected = _in_order(path)
        except Exception:
            expected = None
        try:
            with reader(str(path)) as video:
                for n in range(0, len(video), 7):
                    try:
                        (image,) = video.read([n])
                    except VideoError as error:
                        assert path.name in str(error)
                        continue
                    if expected is None:
                        assert number(image) == FORMS[name].numbers[n]
                    elif reader is VideoReader or video._decord is None:
                        np.testing.assert_array_equal(image, expected[n])
        except VideoError as error:
            assert path.name in str(error)


def test_damage_leaves_the_other_groups_readable(tmp_path):
    path = write(tmp_path, 'h264.mp4')
    with open_video(str(path)) as container:
        packet = [p for p in container.demux(best_stream(container)) if p.size][13]
    content = path.read_bytes()
    place = content.index(bytes(packet))
    path.write_bytes(content[:place] + bytes(packet.size) + content[place + packet.size :])
    with VideoReader(str(path)) as video:
        for n in (0, 11, 24, 39):
            assert number(video.read([n])[0]) == n
        with pytest.raises(VideoError, match=r'h264.mp4: a packet is damaged'):
            video.read([20])


def test_reading_beyond_damage_is_an_error_where_all_is_decoded(tmp_path):
    path = write(tmp_path, 'prores.mov')
    with open_video(str(path)) as container:
        packet = [p for p in container.demux(best_stream(container)) if p.size][20]
    content = path.read_bytes()
    place = content.index(bytes(packet))
    path.write_bytes(content[:place] + bytes(packet.size) + content[place + packet.size :])
    with VideoReader(str(path)) as video:
        assert len(video) == 40
        assert number(video.read([5])[0]) == 5
        with pytest.raises(VideoError, match='prores.mov: '):
            video.read([39])


def test_a_decoder_that_does_not_keep_to_the_proof_is_not_trusted(tmp_path):
    """The reader goes on from the beginning, or says that the number of frames is another."""
    path = write(tmp_path, 'h264.mp4')
    with VideoReader(str(path)) as video:
        times = video._index.times
        times[3], times[4] = times[4], times[3]  # as if the proof had been wrong
        video._index.entries[:] = [0]
        order = sorted(range(len(times)), key=times.__getitem__)
        video._index = video._index._replace(order=order)
        video._index.packets[3].pts, video._index.packets[4].pts = times[3], times[4]
        assert [number(image) for image in video.read(range(40))] == list(range(40))
        assert video._index is None


def test_a_frame_that_does_not_come_is_looked_for_from_the_beginning(tmp_path, monkeypatch):
    with VideoReader(str(write(tmp_path, 'h264.mp4'))) as video:
        monkeypatch.setattr(VideoReader, '_decode_run', lambda *args: iter(()))
        assert number(video.read([14])[0]) == 14
        assert video._index is None


def test_a_packet_that_may_be_a_field_proves_nothing(tmp_path):
    with open_video(str(write(tmp_path, 'interlaced.mp4'))) as container:
        extradata = best_stream(container).codec_context.extradata
    with pytest.raises(Unproven):
        H264Look(extradata)


def test_another_size_than_the_container_tells_is_judged_by_the_first_frame(tmp_path):
    with VideoReader(str(write(tmp_path, 'h264.mp4'))) as video:
        video._size = 32, 32  # as if the container had told so
        assert video.read([14])[0].shape == (64, 96, 3)


def test_pictures_may_be_written_into(tmp_path):
    """Those of a format that needs no conversion too."""
    with VideoReader(str(write(tmp_path, 'animation.apng'))) as video:
        for _ in range(2):
            (image,) = video.read([3])
            assert number(image) == 3
            image[:] = 0


def test_a_hidden_packet_of_vp8(tmp_path):
    look = Vp8Look(None)
    for data in (b'\x10\0\0\x9d\x01\x2a', b'\x01', b'\x11'):
        look(data)
    assert look.hidden == {1} and look.entries == [0]


def test_a_stream_joined_in_the_middle_begins_at_its_key_frame():
    """Errors before it are none; a packet without content is none either."""

    def decode(packet):
        if packet is None:
            return ['last']
        if packet.broken:
            raise av.InvalidDataError(1, 'broken')
        return [packet.size]

    def packets(*rows):
        names = ('size', 'is_keyframe', 'broken')
        rows = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in rows]
        return SimpleNamespace(demux=lambda stream: rows), SimpleNamespace(decode=decode)

    late = [(1, False, True), (2, False, False), (0, False, True), (3, True, False)]
    assert list(decode_in_order(*packets(*late))) == [2, 3, 'last']
    with pytest.raises(av.InvalidDataError):
        list(decode_in_order(*packets(*late, (4, False, True))))


def test_many_frames_are_not_kept(tmp_path, monkeypatch):
    path = write(tmp_path, 'mpeg4.avi')
    monkeypatch.setattr('pmd_mmaction.readers.video_reader._KEPT', 20 * 96 * 64 * 3 // 2)
    with VideoReader(str(path)) as video:
        assert video._frames == []
        assert [number(image) for image in video.read([30, 2])] == [30, 2]


def test_sizes_that_change_are_those_of_the_first_frame(tmp_path):
    """Also in a clip without the first frame, and where the container tells another size."""
    with VideoReader(str(write(tmp_path, 'sizes.webm'))) as video:
        images = video.read([30, 39])
        assert [image.shape for image in images] == [(64, 96, 3)] * 2
        assert [number(image) for image in images] == [30, 39]
        assert abs(images[0].astype(int) - picture(30)).mean() < 12


def test_units_and_numbers():
    assert list(length_prefixed(b'\0\0\0\2ab\0\0\0\1c')) == [(4, 6), (10, 11)]
    for wrong in (b'\0\0\0\2a', b'\0\0\0\0', b'\0\0\0\1ab'):
        with pytest.raises(Malformed):
            list(length_prefixed(wrong))
    assert bits_of(b'\x80\0\0\3\1') == '10000000' + '0' * 16 + '00000001'
    assert [exp_golomb(bits, 0) for bits in ('1', '010', '00111')] == [(0, 1), (1, 3), (6, 5)]


def _unit(kind: int, first: bool = False) -> bytes:
    content = bytes([kind, 128 * first]) + b'\x55' * 6
    return len(content).to_bytes(4, 'big') + content


@pytest.mark.parametrize(
    'packet, expected',
    [
        (_unit(1, True), True),
        (_unit(5, True) + _unit(5) + _unit(5), True),
        (_unit(1, True) + _unit(1, True), False),  # two pictures
        (_unit(1), False),  # the first slice is missing
        (_unit(1, True) + _unit(5), False),
        (_unit(6) + _unit(1, True), False),
        (_unit(1, True) + _unit(6), False),
        (_unit(1, True)[:-1], False),
        (_unit(1, True) + _unit(1)[:5], False),
        (_unit(1, True)[:5], False),
        (b'', False),
    ],
)
def test_what_is_slices_only(packet, expected):
    """The others are looked at unit by unit."""
    assert bool(_only_slices(packet)) == expected
