"""Random access to the frames of a video with decord, where it is known to be correct."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from pmd_mmaction.readers.packet_index import is_small
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import named_errors, orientation

# Up to this many frames, decoding on is faster than a seek.
_STEPS = 8
# What decord's older FFmpeg decodes to the same pixels as ours.
_PIXELS = {'yuv420p', 'yuvj420p', 'yuv422p', 'yuvj422p', 'yuv444p', 'yuvj444p'}
# Marks of files that were shown to suit decord, so that they are not examined at each visit.
_SUITABLE: set[int] = set()
_MOST_MARKS = 1 << 18  # 70 bytes each, in every worker


class DecordReader(VideoReader):
    """:class:`VideoReader` on decord, with one thread; the same arguments, results and errors.

    Decord follows the packets, trusts whatever is marked as a key frame, and supports only quarter
    turns. It is therefore used for 8-bit H.264 in closed groups, if each packet is proven to be one
    frame that is shown as stored. Everything else, and whatever decord fails on, is left to PyAV.
    The proof is made once per process and file.
    """

    _decord = None

    def close(self) -> None:
        """Frees the decoders; decord's thread would keep running."""
        self._decord = None
        super().close()

    def _open(self) -> None:
        mark = self._mark()
        if mark not in _SUITABLE or not self._open_decord():
            super()._open()
            if not (self._suits() and self._open_decord() and self._agrees()):
                self._decord = None
                return
        self._length = len(self._decord)
        self.avg_fps = float(self._decord.get_avg_fps())
        if mark is not None and len(_SUITABLE) < _MOST_MARKS:
            _SUITABLE.add(mark)

    def _mark(self) -> int | None:
        """What tells the file from all others, and from another under its name."""
        if self._content is not None:
            return None
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return None  # PyAV says what is wrong
        return hash((self.path, found.st_size, found.st_mtime_ns, found.st_ino))

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

    def _open_decord(self) -> bool:
        """Whether decord opens the file."""
        import decord

        source = self.path
        if self._content is not None:
            source = io.BytesIO(self._content)
        elif is_small(self.path, None):
            source = io.BytesIO(Path(self.path).read_bytes())
        try:
            # No frame may be replaced by another because it cannot be decoded.
            self._decord = decord.VideoReader(source, num_threads=1, fault_tol=1e-9)
        except (RuntimeError, decord.DECORDError):
            return False
        self._keys = set(self._decord.get_key_indices())
        return True

    def _agrees(self) -> bool:
        """Whether decord counts the same frames, hidden ones too, and starts at known entries."""
        return len(self._decord) == len(self) and self._keys <= set(self._index.entries)

    def _read(self, wanted: set[int]) -> dict[int, np.ndarray]:
        images = self._read_decord(sorted(wanted))
        if images is not None:
            return images
        self._turn_to_pyav()
        return super()._read(wanted)

    def frames(self) -> Iterator[np.ndarray]:
        """As the parent, by PyAV."""
        self._turn_to_pyav()
        yield from super().frames()

    def _turn_to_pyav(self) -> None:
        """Opens the file with PyAV, if an earlier visit has left that out of this one."""
        if self._container is None:
            with named_errors(self.path):
                super()._open()

    def _read_decord(self, numbers: Sequence[int]) -> dict[int, np.ndarray] | None:
        """The frames, or None where decord cannot give them."""
        if self._decord is None:
            return None
        import decord

        try:
            return {n: self._decord_frame(n, before) for before, n in pairwise([None, *numbers])}
        except (RuntimeError, decord.DECORDError):
            self._decord = None
            return None

    def _decord_frame(self, number: int, before: int | None) -> np.ndarray:
        """A frame, decoded from the one read before; decord would seek to each key frame."""
        near = before is not None and number - before <= _STEPS
        if near and any(before < key <= number for key in self._keys):
            for _ in range(before + 1, number):
                self._decord.next()
        else:
            self._decord.seek_accurate(number)
        return self._decord.next().asnumpy()
