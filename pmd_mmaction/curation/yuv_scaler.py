"""Scales and rotates frames without converting them to RGB."""

from __future__ import annotations

from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from pmd_mmaction.readers.video_stream import ONE_THREAD, Orientation, orientation, upright

_LIMITED, _FULL = 1, 2
_RGB, _RESERVED, _UNSPECIFIED, _BT601 = 0, 3, 2, 6  # matrices, as in ITU-T H.273


class Colours(NamedTuple):
    """How a video encodes colours: code points of ITU-T H.273, 2 if unspecified.

    Attributes:
        matrix: from RGB to YUV.
        range: 1 for limited, 2 for full, 0 if unspecified (then limited).
        primaries: colour primaries.
        transfer: transfer characteristics.
    """

    matrix: int
    range: int
    primaries: int
    transfer: int


class YUVScaler:
    """Scales frames, rotates and mirrors them by the display matrix, and keeps their colours.

    All frames get the size that the first one needs, also where the picture changes its size. The
    numbers of YUV pictures are scaled, not converted; more than 8 bits and finer chroma become
    8 bits and 4:2:0. Pictures of RGB or a palette become BT.601. Transparency is dropped, and the
    two fields of an interlaced picture stay one picture, as the readers do it.

    Args:
        first: the first frame of a video.
        codec: its decoder, which knows the primaries and the transfer.
        size: width and height of the scaled first frame before rotation, even numbers.

    Attributes:
        size: width and height of the output frames.
        colours: colours of the output frames.
    """

    def __init__(
        self, first: av.VideoFrame, codec: av.VideoCodecContext, size: tuple[int, int]
    ) -> None:
        self.size = size[::-1] if orientation(first).transpose else size
        matrix, range_ = int(first.colorspace), int(first.color_range)
        if _is_rgb(first):
            matrix, range_ = _BT601, _LIMITED
        elif _is_full(first):
            range_ = _FULL
        if matrix in (_RGB, _RESERVED):
            matrix = _UNSPECIFIED
        self.colours = Colours(matrix, range_, codec.color_primaries, codec.color_trc)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Scales a frame to yuv420p and makes it upright."""
        turn = orientation(frame)
        width, height = self.size[::-1] if turn.transpose else self.size
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            'yuv420p',
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            dst_colorspace=_BT601 if _is_rgb(frame) else None,
            src_color_range=_FULL if _is_full(frame) or _is_rgb(frame) else _LIMITED,
            dst_color_range=_FULL if self.colours.range == _FULL else _LIMITED,
            **ONE_THREAD,
        )
        return _turned(small, turn) if any(turn) else small


def _is_rgb(frame: av.VideoFrame) -> bool:
    return frame.format.is_rgb or frame.format.name == 'pal8'


def _is_full(frame: av.VideoFrame) -> bool:
    """Whether black is 0; grey pictures without a range are read so."""
    name = frame.format.name
    return frame.color_range == _FULL or name.startswith(('yuvj', 'gray', 'mono', 'ya8', 'ya16'))


def _turned(frame: av.VideoFrame, turn: Orientation) -> av.VideoFrame:
    planes = [
        upright(np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width], turn)
        for plane in frame.planes
    ]
    height, width = planes[0].shape
    stacked = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, width)
    result = av.VideoFrame.from_ndarray(stacked, format='yuv420p')
    result.pts = frame.pts
    return result
