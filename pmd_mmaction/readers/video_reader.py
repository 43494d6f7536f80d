"""Random access to the frames of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np

from pmd_mmaction.readers.packet_index import (
    PacketIndex,
    index_packets,
    is_small,
    packets_from,
)
from pmd_mmaction.readers.packet_look import Unproven
from pmd_mmaction.readers.video_stream import (
    ONE_THREAD,
    Orientation,
    VideoError,
    best_stream,
    decode_in_order,
    named_errors,
    open_video,
    orientation,
    refuse_special_file,
    upright,
)

# Decoded frames up to this size stay in memory if all have to be decoded to count them.
_KEPT = 64 << 20


class VideoReader:
    """Decodes single frames of a video with PyAV, in the calling thread.

    Frame n is the n-th that :func:`decode_in_order` gives, upright, whichever other frames are
    read: time stamps, hidden packets and B-frames make no difference. Frames that differ in size
    from the first are resized to it, as ffmpeg does.

    If the packets prove which frame is which (see :func:`index_packets`), decoding begins at the
    last key frame and skips what is not needed. All other videos are decoded from the beginning,
    once to count their frames. So are those whose decoder contradicts the proof.

    Args:
        path: the file.
        content: its bytes, if they do not come from ``path``, which is then only a name.

    Attributes:
        path: the file.
        avg_fps: average frames per second, 0 if unknown.

    Raises:
        VideoError: if it cannot be opened or has no video frames.
    """

    def __init__(self, path: str, content: bytes | None = None) -> None:
        self.path = path
        self._content = content
        self._frames: list[av.VideoFrame] = []
        self._index: PacketIndex | None = None
        self._turn: Orientation | None = None
        self._container: av.container.InputContainer | None = None
        if content is None:
            refuse_special_file(path)
        try:
            with named_errors(path):
                self._open()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._length

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Frees the file, packets, frames and the decoder."""
        self._index, self._frames = None, []
        if self._container is not None:
            self._container.close()

    def read(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Decodes frames.

        Args:
            numbers: frame numbers, in any order and with repetitions.

        Returns:
            A separate array per number, ``(H, W, 3)`` uint8 RGB, upright.

        Raises:
            IndexError: if there is no frame of that number.
            VideoError: if the file is damaged where it has to be decoded.
        """
        numbers = [int(n) for n in numbers]
        for n in numbers:
            if not 0 <= n < len(self):
                raise IndexError(f'{self.path}: no frame {n} among {len(self)}')
        with named_errors(self.path):
            images = self._read(set(numbers))
        # Repeated frames are copied, since transforms such as Flip write into the images.
        return [images[n].copy() if n in numbers[:i] else images[n] for i, n in enumerate(numbers)]

    def frames(self) -> Iterator[np.ndarray]:
        """All frames in order, each as :meth:`read` gives it, decoded once.

        Raises:
            VideoError: at the first damage.
        """
        with named_errors(self.path):
            for number, frame in enumerate(self._frames or self._all_frames()):
                if frame.is_corrupt:
                    raise VideoError(f'frame {number} is damaged')
                yield self._convert(frame)

    def _open(self) -> None:
        self._container = open_video(self.path, self._content)
        stream = best_stream(self._container)
        self._codec, self._stream = stream.codec_context, stream
        self._size = self._codec.width, self._codec.height
        self._reformatter = av.video.reformatter.VideoReformatter()
        small = is_small(self.path, self._content)
        self._index = index_packets(self._container, stream, small)
        self._length = len(self._index.order) if self._index else self._count_if_whole()
        if not self._length:
            raise VideoError('no frame')
        self.avg_fps = self._average_rate()

    def _average_rate(self) -> float:
        """Frames per second; FFmpeg guesses where the header does not count the frames (WebM)."""
        if self._index is None or self._stream.frames or self._length < 2:
            return float(self._stream.average_rate or 0)
        first, last = (self._index.times[self._index.order[n]] for n in (0, -1))
        return float((self._length - 1) / ((last - first) * self._stream.time_base))

    def _read(self, wanted: set[int]) -> dict[int, np.ndarray]:
        if self._index is not None:
            try:
                return self._read_proven(wanted)
            except Unproven:
                self._forget_index()
        return self._read_in_order(wanted)

    def _forget_index(self) -> None:
        """Switches to decoding from the beginning."""
        count = self._count()
        if count != self._length:
            raise VideoError(f'its packets tell of {self._length} frames, the decoder of {count}')
        self._index = None

    # ------------------------------------------------------------ decoding from key frames

    def _read_proven(self, wanted: set[int]) -> dict[int, np.ndarray]:
        """Decodes the runs of packets that contain the frames.

        Raises:
            Unproven: if the decoder's frames contradict the packets.
        """
        index, images = self._index, {}
        positions = {index.order[n] for n in wanted}
        numbers = {index.times[index.order[n]]: n for n in wanted}
        for first, last in index.runs(positions):
            before = None
            for frame in self._decode_run(first, last, positions):
                time = frame.pts
                late = time is None or (before is not None and time <= before)
                # Others may refer to what the decoder made up.
                if late or frame.is_corrupt or (frame.width, frame.height) != self._size:
                    raise Unproven
                before = time
                if time in numbers:
                    images[numbers[time]] = self._convert(frame)
        if len(images) < len(wanted):
            raise Unproven
        return images

    def _decode_run(self, first: int, last: int, wanted: set[int]) -> Iterator[av.VideoFrame]:
        packets = packets_from(self._index, first, self._container, self._stream)
        self._codec.flush_buffers()
        for position, packet in zip(range(first, last + 1), packets, strict=False):
            if position in self._index.damaged:
                raise VideoError('a packet is damaged')
            if position in self._index.spare and position not in wanted:
                continue
            yield from self._codec.decode(packet)
        yield from self._codec.decode(None)

    # ------------------------------------------------------------ decoding all

    def _count(self) -> int:
        """Decodes all frames, keeping them if they are small; returns their number."""
        count = size = 0
        self._frames = []
        for frame in self._all_frames():
            if count == 0:
                self._size = frame.width, frame.height
            count += 1
            size += sum(plane.buffer_size for plane in frame.planes)
            if size <= _KEPT:
                self._frames.append(frame)
        if len(self._frames) < count:
            self._frames = []
        return count

    def _count_if_whole(self) -> int:
        """The number of frames, or of packets if one is damaged and the frames are unknown."""
        try:
            return self._count()
        except av.FFmpegError:
            self._frames = []
            with open_video(self.path, self._content) as container:
                return sum(p.size > 0 for p in container.demux(best_stream(container)))

    def _all_frames(self) -> Iterator[av.VideoFrame]:
        with open_video(self.path, self._content) as container:
            yield from decode_in_order(container, best_stream(container))

    def _read_in_order(self, wanted: set[int]) -> dict[int, np.ndarray]:
        images = {}
        for number, frame in enumerate(self._frames or self._all_frames()):
            if number in wanted:
                if frame.is_corrupt:
                    raise VideoError(f'frame {number} is damaged')
                images[number] = self._convert(frame)
            if len(images) == len(wanted):
                return images
        raise VideoError(f'the decoder gives no frame {min(wanted - images.keys())}')

    def _convert(self, frame: av.VideoFrame) -> np.ndarray:
        """Converts a frame as it comes, so that the decoder gets its buffers back."""
        if self._turn is None:
            self._turn = orientation(frame)  # a video is turned as a whole
        size = {}
        if (frame.width, frame.height) != self._size:
            size = dict(zip(('width', 'height'), self._size, strict=True))
        rgb = self._reformatter.reformat(frame, format='rgb24', **size, **ONE_THREAD)
        image = rgb.to_ndarray()
        # Of a frame that is RGB already, it is a view; and the frame may be kept.
        return upright(image.copy() if rgb is frame else image, self._turn)
