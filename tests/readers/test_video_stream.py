"""The plain way to every frame: which stream, which way up."""

import itertools
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.stream import Disposition

from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import (
    Orientation,
    VideoError,
    best_stream,
    decode_in_order,
    open_video,
    orientation,
    upright,
)
from tests.datasets.form_builders import STILL, add_picture, add_sound
from tests.tools.videos import patch_box, write_video


@pytest.mark.parametrize(
    'matrix',
    [
        m
        for m in itertools.product((-1, 0, 1), repeat=4)
        if abs(m[0] * m[3] - m[1] * m[2]) == 1
        and abs(m[0]) + abs(m[1]) == 1 == abs(m[2]) + abs(m[3])
    ],
)
def test_the_display_matrix_sends_every_point_where_it_says(tmp_path, matrix):
    a, b, c, d = matrix
    path = write_video(tmp_path / 'a.mp4', 1)
    values = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    patch_box(path, b'tkhd', 4 + 40, b''.join(v.to_bytes(4, 'big', signed=True) for v in values))
    with open_video(str(path)) as container:
        (frame,) = decode_in_order(container, best_stream(container))
        turn = orientation(frame)
    stored = np.arange(6).reshape(2, 3)
    shown = upright(stored, turn)
    for y, x in np.ndindex(stored.shape):
        # Negative coordinates count from the other edge, as an index of numpy does.
        column, row = a * x + c * y - (a + c < 0), b * x + d * y - (b + d < 0)
        assert shown[row, column] == stored[y, x]


def test_no_matrix_is_upright(tmp_path):
    with open_video(str(write_video(tmp_path / 'a.mkv', 1))) as container:
        (frame,) = decode_in_order(container, best_stream(container))
        assert orientation(frame) == Orientation()


def test_a_cover_with_sound_is_no_video(tmp_path):
    path = tmp_path / 'song.mp4'
    with av.open(str(path), 'w') as container:
        for fill in [add_sound(container, 0.5), add_picture(container, STILL, 1)]:
            fill()
    with pytest.raises(VideoError, match='song.mp4: no video stream'):
        VideoReader(str(path))


def test_a_still_that_counts_as_the_best_stream_is_passed_over():
    decoder = [SimpleNamespace(thread_type='AUTO', thread_count=0) for _ in range(2)]
    still, video = (
        SimpleNamespace(disposition=Disposition(kind), codec_context=codec)
        for kind, codec in zip((STILL, 0), decoder, strict=True)
    )
    streams = SimpleNamespace(best=lambda kind: still, video=[still, video])
    assert best_stream(SimpleNamespace(streams=streams)) is video
    video.codec_context = None
    with pytest.raises(VideoError, match='no decoder'):
        best_stream(SimpleNamespace(streams=streams))
