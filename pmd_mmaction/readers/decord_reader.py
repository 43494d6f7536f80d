"""Random access to the frames of a video with decord, where it is known to be correct."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from pmd_mmaction.readers.packet_index import is_small
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import orientation

# Up to this many frames, decoding on is faster than a seek.
_STEPS = 8
# What decord's older FFmpeg decodes to the same pixels as ours.
_PIXELS = {'yuv420p', 'yuvj420p', 'yuv422p', 'yuvj422p', 'yuv444p', 'yuvj444p'}


class DecordReader(VideoReader):
    """:class:`VideoReader` on decord, with one thread; the same arguments, results and errors.

    Decord follows the packets, trusts whatever is marked as a key frame, and supports only quarter
    turns. It is therefore used for 8-bit H.264 in closed groups, if each packet is proven to be one
    frame that is shown as stored. Everything else, and whatever decord fails on, is left to PyAV.
    """

    _decord = None

    def close(self) -> None:
        """Frees the decoders; decord's thread would keep running."""
        self._decord = None
        super().close()

    def _open(self) -> None:
        super()._open()
        if self._suits():
            self._decord = self._open_decord()

    def _suits(self) -> bool:
        if (
            self._index is None
            or not self._index.closed
            or self._codec.name != 'h264'
            or self._codec.pix_fmt not in _PIXELS
            or len(self._container.streams.video) > 1
        ):
            return False
        frame = next(self._decode_run(0, 0, set()), None)
        return frame is not None and not any(orientation(frame))

    def _open_decord(self):
        import decord

        source = self.path
        if self._content is not None:
            source = io.BytesIO(self._content)
        elif is_small(self.path, None):
            source = io.BytesIO(Path(self.path).read_bytes())
        try:
            # No frame may be replaced by another because it cannot be decoded.
            reader = decord.VideoReader(source, num_threads=1, fault_tol=1e-9)
        except (RuntimeError, decord.DECORDError):
            return None
        # Decord counts hidden packets too.
        keys = set(reader.get_key_indices())
        return reader if len(reader) == len(self) and keys <= set(self._index.entries) else None

    def _read(self, wanted: set[int]) -> dict[int, np.ndarray]:
        return self._read_decord(sorted(wanted)) or super()._read(wanted)

    def _read_decord(self, numbers: Sequence[int]) -> dict[int, np.ndarray] | None:
        """The frames, or None where decord cannot give them."""
        if self._decord is None:
            return None
        import decord

        try:
            images = {n: self._decord_frame(n, before) for before, n in pairwise([None, *numbers])}
        except (RuntimeError, decord.DECORDError):
            self._decord = None
            return None
        width, height = self._size
        return images if all(i.shape[:2] == (height, width) for i in images.values()) else None

    def _decord_frame(self, number: int, before: int | None) -> np.ndarray:
        """A frame, decoded from the one read before; decord would seek to each key frame."""
        near = before is not None and number - before <= _STEPS
        if near and any(before < key <= number for key in self._index.entries):
            for _ in range(before + 1, number):
                self._decord.next()
        else:
            self._decord.seek_accurate(number)
        return self._decord.next().asnumpy()
