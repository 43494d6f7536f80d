"""Frames of a video by their number."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import av
import numpy as np

from pmd_mmaction.datasets.video_stream import VideoError, refuse_special_file

# From 17 on PyAV converts colours with a thread per core, started anew for each film.
_ONE_THREAD = {'threads': 1} if int(av.__version__.split('.')[0]) >= 17 else {}


class VideoReader:
    """Decodes single frames of a video with PyAV, in the calling thread.

    Frame n is the n-th in the order of presentation, whatever its time stamp: a variable frame
    rate, a start other than zero and B-frames change nothing. What a frame looks like depends on
    the file and on n only. Numbers, pixels and display rotation are those of decord.

    The compressed packets of the stream are read once and stay in memory; so a jump is a matter
    of which packets go to the decoder, and no container has to find a position again.

    Args:
        path: the file.
        content: its bytes, if they do not come from ``path``, which then only names it.

    Attributes:
        path: the file.
        avg_fps: average frames per second, 0 if unknown.

    Raises:
        VideoError: if it cannot be opened or holds no frame of a video.
    """

    def __init__(self, path: str, content: bytes | None = None) -> None:
        self.path = path
        if content is None:
            refuse_special_file(path)
        with self._named_errors():
            self._container = av.open(path if content is None else io.BytesIO(content))
        try:
            with self._named_errors():
                self._index()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._order)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Frees the file, the packets and the decoder."""
        self._packets = []
        self._container.close()

    def read(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Decodes frames.

        Args:
            numbers: of the frames, in any order; a number may occur several times.

        Returns:
            One array of its own per number, ``(H, W, 3)`` uint8 RGB, upright.

        Raises:
            IndexError: if there is no frame of that number.
            VideoError: if the file is damaged where it has to be decoded.
        """
        numbers = [int(n) for n in numbers]
        for n in numbers:
            if not 0 <= n < len(self):
                raise IndexError(f'{self.path}: no frame {n} among {len(self)}')
        wanted = set(numbers)
        with self._named_errors():
            images = self._images(self._decode(wanted) if self._timed else self._count(wanted))
            if self._timed and len(images) < len(wanted):
                # A packet marked as a key frame was none, as with periodic intra refresh.
                images |= self._images(self._decode(wanted - images.keys(), seek=False))
        missing = sorted(wanted - images.keys())
        if missing:
            raise VideoError(f'{self.path}: the decoder gives no frame {missing[0]}')
        # A copy of what occurs again, since transforms such as Flip write into the pictures.
        return [images[n].copy() if n in numbers[:i] else images[n] for i, n in enumerate(numbers)]

    def _index(self) -> None:
        """Reads the packets and puts their frames into the order of presentation."""
        if not self._container.streams.video:
            raise VideoError(f'{self.path}: no video stream')
        stream = self._container.streams.video[0]
        self._codec = stream.codec_context
        # A worker per core decodes more than one decoder with several threads, and has no
        # threads to lose in a fork.
        self._codec.thread_type = 'NONE'
        self._codec.thread_count = 1
        self._reformatter = av.video.reformatter.VideoReformatter()
        self.avg_fps = float(stream.average_rate or 0)
        # In decoding order; the last one is empty. Stills such as a cover are no frames.
        self._packets = [p for p in self._container.demux(stream) if p.size]
        self._times = [p.pts for p in self._packets]
        self._keys = [i for i, p in enumerate(self._packets) if p.is_keyframe]
        shown = [i for i, p in enumerate(self._packets) if not p.is_discard]
        self._timed = self._have_times()
        # Number of a frame to its packet.
        self._order = sorted(shown, key=self._times.__getitem__) if self._timed else shown
        if not shown:
            raise VideoError(f'{self.path}: no frame')

    def _have_times(self) -> bool:
        """Whether the time stamps tell the order of presentation.

        Raw streams have none, and AVI numbers the packets of H.264 as they are decoded.
        """
        if None in self._times or len(set(self._times)) < len(self._times):
            return False
        return not self._codec.has_b_frames or self._times != sorted(self._times)

    def _start(self, position: int) -> int:
        """The packet at which decoding has to begin to get that of ``position``."""
        for key in reversed(self._keys):
            # Frames that are shown before a key frame, but come after it, may need what was
            # before it (open groups of pictures).
            if key <= position and self._times[key] <= self._times[position]:
                return key
        return 0

    def _decode(self, wanted: Iterable[int], seek: bool = True) -> Iterator[tuple[int, object]]:
        """Numbers and frames: from key frames on, without what no other frame needs."""
        numbers = {self._order[n]: n for n in wanted}
        by_time = {self._times[position]: n for position, n in numbers.items()}
        self._codec.flush_buffers()
        position = 0
        for target in sorted(numbers):
            start = self._start(target) if seek else 0
            if start > position:
                yield from self._known(self._codec.decode(None), by_time)
                self._codec.flush_buffers()
                position = start
            for i in range(position, target + 1):
                self._codec.skip_frame = 'DEFAULT' if i in numbers or not seek else 'NONREF'
                yield from self._known(self._codec.decode(self._packets[i]), by_time)
            position = max(position, target + 1)
        yield from self._known(self._codec.decode(None), by_time)

    @staticmethod
    def _known(frames: Iterable, by_time: dict[int, int]) -> Iterator[tuple[int, object]]:
        for frame in frames:
            if frame.pts in by_time:
                yield by_time[frame.pts], frame

    def _count(self, wanted: set[int]) -> Iterator[tuple[int, object]]:
        """Numbers and frames, counted from the beginning."""
        self._codec.flush_buffers()
        number, last = 0, max(wanted)
        for packet in [*self._packets, None]:
            for frame in self._codec.decode(packet):
                if number in wanted:
                    yield number, frame
                number += 1
            if number > last:
                return

    def _images(self, frames: Iterator[tuple[int, object]]) -> dict[int, np.ndarray]:
        """Converts frames as they come, so that the decoder gets its buffers back."""
        images = {}
        for number, frame in frames:
            rgb = self._reformatter.reformat(frame, format='rgb24', **_ONE_THREAD).to_ndarray()
            quarters = round(frame.rotation / 90) % 4
            images[number] = np.ascontiguousarray(np.rot90(rgb, quarters)) if quarters else rgb
        return images

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise VideoError(f'{self.path}: {error.strerror or error}') from error
