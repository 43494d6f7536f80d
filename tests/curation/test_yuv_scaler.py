"""The colours of a copy are those of the video, whatever its numbers mean."""

from fractions import Fraction

import av
import numpy as np
import pytest

from pmd_mmaction.curation.video_resize import ResizeSettings, resize_video
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import Orientation
from tests.datasets.numbered_videos import set_matrix

COLOURS = np.array(
    [
        [(0, 0, 0), (255, 255, 255), (200, 30, 30), (30, 180, 40)],
        [(20, 40, 220), (128, 128, 128), (240, 220, 60), (90, 10, 120)],
    ],
    np.uint8,
)
SIDE = 64
HIGH = ResizeSettings(short_side=SIDE, crf=0)
BT709, UNSPECIFIED, BT601, SMPTE240M, BT2020 = 1, 2, 5, 7, 9
UNKNOWN, LIMITED, FULL = 0, 1, 2


def write_flat(path, codec, pix_fmt, matrix=UNSPECIFIED, range_=UNKNOWN, options=None, tags=(2, 2)):
    """Eight flat colours, stored and marked as said."""
    image = COLOURS.repeat(SIDE, 0).repeat(SIDE, 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options or {'crf': '1'})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = pix_fmt
        codec = stream.codec_context
        codec.colorspace, codec.color_range = matrix, range_
        codec.color_primaries, codec.color_trc = tags
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            wanted = {} if matrix == UNSPECIFIED else dict(dst_colorspace=matrix)
            frame = frame.reformat(format=pix_fmt, dst_color_range=range_ or None, **wanted)
            frame.colorspace, frame.color_range = matrix, range_
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def flat_colours(path):
    """The middle of each colour, as the reader gives it: (8, 3)."""
    with VideoReader(str(path)) as video:
        (image,) = video.read([1])
    height, width = image.shape[:2]
    tiles = image.reshape(2, height // 2, 4, width // 4, 3).swapaxes(1, 2)
    edge = height // 8
    return tiles[:, :, edge:-edge, edge:-edge].mean((2, 3)).reshape(8, 3)


def copy(path):
    target = path.with_name(f'{path.name}.copy.mp4')
    resize_video((str(path), str(target)), HIGH)
    with av.open(str(target)) as container:
        codec = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        tags = frame.colorspace, frame.color_range, codec.color_primaries, codec.color_trc
    return target, tuple(map(int, tags))


@pytest.mark.parametrize(
    'name, codec, pix_fmt, matrix, range_',
    [
        ('plain.mp4', 'libx264', 'yuv420p', UNSPECIFIED, UNKNOWN),
        ('bt601.mp4', 'libx264', 'yuv420p', BT601, LIMITED),
        ('bt709.mp4', 'libx264', 'yuv420p', BT709, LIMITED),
        ('bt709_full.mp4', 'libx264', 'yuv420p', BT709, FULL),
        ('bt601_full.mp4', 'libx264', 'yuv420p', BT601, FULL),
        ('smpte240m.mp4', 'libx264', 'yuv420p', SMPTE240M, LIMITED),
        ('bt2020.mp4', 'libx264', 'yuv420p', BT2020, LIMITED),
        ('phone.mp4', 'libx264', 'yuvj420p', UNSPECIFIED, FULL),
        ('fine_chroma.mp4', 'libx264', 'yuv422p', BT709, FULL),
        ('bt709.webm', 'libvpx-vp9', 'yuv420p', BT709, LIMITED),
    ],
)
def test_numbers_and_their_meaning_are_kept(tmp_path, name, codec, pix_fmt, matrix, range_):
    # any mark of the colours also marks the range
    tags = (UNSPECIFIED,) * 2 if range_ == UNKNOWN else (5, 6)
    video_path = write_flat(tmp_path / name, codec, pix_fmt, matrix, range_, tags=tags)
    target, tags = copy(video_path)
    assert np.abs(flat_colours(video_path) - flat_colours(target)).max() < 0.5
    with av.open(str(video_path)) as container:
        before = container.streams.video[0].codec_context
        primaries, transfer = before.color_primaries, before.color_trc
    assert tags == (matrix, range_, primaries, transfer)


@pytest.mark.parametrize(
    'name, codec, pix_fmt, range_',
    [
        ('mjpeg.avi', 'mjpeg', 'yuvj420p', FULL),
        ('mjpeg422.avi', 'mjpeg', 'yuvj422p', FULL),
        ('mpeg2.mkv', 'mpeg2video', 'yuv420p', UNKNOWN),
        ('grey.mkv', 'ffv1', 'gray', UNKNOWN),
        ('grey.mp4', 'libx264', 'gray', UNKNOWN),
        ('grey10.mkv', 'ffv1', 'gray10le', UNKNOWN),
    ],
)
def test_other_codecs(tmp_path, name, codec, pix_fmt, range_):
    video_path = write_flat(tmp_path / name, codec, pix_fmt, range_=range_, options={'q': '1'})
    target, _ = copy(video_path)
    assert np.abs(flat_colours(video_path) - flat_colours(target)).mean() < 0.5


@pytest.mark.parametrize(
    'name, codec, pix_fmt, matrix, range_',
    [
        ('ten.mp4', 'libx264', 'yuv420p10le', BT709, LIMITED),
        ('ten_full.mp4', 'libx264', 'yuv420p10le', BT709, FULL),
        ('444.mp4', 'libx264', 'yuv444p', BT709, LIMITED),
        ('prores.mov', 'prores_ks', 'yuv422p10le', BT709, LIMITED),
        ('rgb.mp4', 'libx264rgb', 'rgb24', 0, FULL),
        ('rgb.mov', 'qtrle', 'rgb24', UNSPECIFIED, UNKNOWN),
        ('alpha.mov', 'png', 'rgba', UNSPECIFIED, UNKNOWN),
        ('animation.gif', 'gif', 'rgb8', UNSPECIFIED, UNKNOWN),
    ],
)
def test_what_is_stored_otherwise_becomes_8_bits(tmp_path, name, codec, pix_fmt, matrix, range_):
    """FFmpeg turns 8 bits of 4:2:0 into RGB with up to 2 grey levels of rounding, others finer."""
    video_path = write_flat(tmp_path / name, codec, pix_fmt, matrix, range_)
    target, _ = copy(video_path)
    difference = np.abs(flat_colours(video_path) - flat_colours(target))
    assert difference.mean() < 1.1 and difference.max() <= 2.5


@pytest.mark.parametrize('transpose', [False, True])
def test_the_shape_of_the_pixels_is_kept(tmp_path, transpose):
    """As the readers do, copies keep the stored pixels; players get the ratio to show them."""
    video_path = tmp_path / 'wide.mp4'
    with av.open(str(video_path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), format='rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    set_matrix(video_path, Orientation(transpose=transpose))
    target, _ = copy(video_path)
    with av.open(str(target)) as container:
        ratio = Fraction(15, 16) if transpose else Fraction(16, 15)
        assert container.streams.video[0].sample_aspect_ratio == ratio
