"""Decodes a whole video, distinguishing damage from a wrong header."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av import logging

from pmd_mmaction.readers.video_stream import best_stream, decode_in_order, open_video

# Errors that decoders report for videos whose frames are intact: optional parts of a stream, and
# references that are released twice.
_HARMLESS = ('SEI', 'VUI', 'VPS', 'APP fields', 'mmco: ', 'short term buffer', 'reference frames (')

_JOINT = 3  # packets from the corrupt one to the key frame


@contextmanager
def _all_errors() -> Iterator[list[tuple[int, str, str]]]:
    """Collects FFmpeg's error messages, including those left over from another file."""
    level, skip = logging.get_level(), logging.get_skip_repeated()
    logging.set_level(logging.ERROR)
    logging.set_skip_repeated(False)
    try:
        with logging.Capture() as messages:
            yield messages
    finally:
        logging.set_level(level)
        logging.set_skip_repeated(skip)


class WatchedDecoding:
    """Yields every frame of a video in order, then reports what is wrong with the file.

    Damage is anything that loses or corrupts frames: a decoding error, concealed errors,
    incomplete or missing packets, a file that ends too early. A header may be wrong although all
    frames are present: sound that is longer than the picture, frames that an edit list removes,
    packets with two frames or none. Errors when opening or decoding are raised.

    Args:
        path: the file.
        tolerance: fraction of the announced length that may be missing, at least two frames.

    Attributes:
        container: the open file.
        stream: the best video stream.
        count: number of frames so far.
        damage: after the last frame, the damage as (problem, detail), or None.
        note: after the last frame, what is wrong in the header, or an empty string.

    Raises:
        VideoError: if there is no video stream.
        av.FFmpegError: if it cannot be opened; at a frame, if it cannot be decoded.
    """

    def __init__(self, path: str, tolerance: float = 0.02) -> None:
        self._path, self._tolerance = path, tolerance
        self.container = open_video(path)
        try:
            self.stream = best_stream(self.container)
        except BaseException:
            self.container.close()
            raise
        self.count = self._broken_packets = self._broken_frames = 0
        # Start of the first packet shown, of the last one, and the end of all.
        self._ticks: tuple[int, int, int] | None = None
        self.damage: tuple[str, str] | None = None
        self.note = ''

    def __enter__(self) -> WatchedDecoding:
        return self

    def __exit__(self, *error) -> None:
        self.container.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Decodes; to be used once."""
        decoder, demuxer = self.stream.codec_context.codec.name, self.container.format.name
        with _all_errors() as messages:
            for frame in decode_in_order(self, self.stream):
                if not self.count:
                    # Frames before the first one refer to frames that were cut away.
                    messages[:] = [said for said in messages if said[1] != decoder]
                self.count += 1
                self._broken_frames += frame.is_corrupt
                yield frame
        errors = [text.strip() for _, speaker, text in messages if speaker in (decoder, demuxer)]
        self._judge([text for text in errors if not any(part in text for part in _HARMLESS)])

    def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
        """The packets of the container, counted: what :func:`decode_in_order` asks for."""
        # Where transport streams were joined, a packet is called corrupt just before the next
        # part, which begins with a key frame.
        may_be_joint, suspects = self.container.format.name == 'mpegts', []
        for number, packet in enumerate(self.container.demux(stream)):
            if packet.is_keyframe and may_be_joint:
                suspects = [suspect for suspect in suspects if number - suspect > _JOINT]
            if packet.is_corrupt:
                suspects.append(number)
            self._broken_packets = len(suspects)
            self._note_times(packet)
            yield packet

    def _note_times(self, packet: av.Packet) -> None:
        start = packet.dts if packet.pts is None else packet.pts
        if start is not None:
            first, last, end = self._ticks or (start, start, start)
            end = max(end, start + (packet.duration or 0))
            self._ticks = min(first, start), max(last, start), end

    def _judge(self, errors: list[str]) -> None:
        """Sets ``damage`` and ``note`` from the observations."""
        cut_off = [text for text in errors if 'prematurely' in text]
        errors = [text for text in errors if text not in cut_off]
        missing, note = self._compare_lengths()
        self.note = '; '.join(filter(None, (note, *cut_off[:1])))
        if self._broken_frames:
            told = f'{self._broken_frames} of {self.count} frames are corrupt'
            self.damage = 'decode error', told
        elif self._broken_packets:
            self.damage = 'decode error', f'{self._broken_packets} packets are incomplete'
        elif errors:
            self.damage = 'decode error', errors[0]
        elif not self.count:
            self.damage = 'decode error', 'the decoder gives no frame'
        elif missing:
            self.damage = 'wrong length', self.note

    def _compare_lengths(self) -> tuple[bool, str]:
        """Whether the end is missing, and how the length differs from the header's."""
        if self._ends_inside_a_packet():
            return True, 'the file ends in the middle of a packet'
        first, last, end = (float(t * self.stream.time_base) for t in self._ticks or (0, 0, 0))
        rate = float(self.stream.average_rate or 25)
        frame = max(1 / rate, (last - first) / max(self.count - 1, 1))
        # Some headers count from zero, others from the first frame.
        ends = end, end - first
        note, promises = '', self._announced_seconds()
        if self.stream.frames:
            promises = [self.stream.frames / rate]
            if self.count != self.stream.frames:
                note = f'{self.count} frames, header says {self.stream.frames}'
        for promised in filter(None, promises):
            slack = max(2 * frame, self._tolerance * promised)
            if min(abs(end - promised) for end in ends) > slack:
                break
        else:
            return False, note
        note = note or f'the picture ends at {max(ends):.2f} s, the header says {promised:.2f} s'
        # Frames removed by an MP4 edit list are no loss; a missing packet is an error.
        whole = self.stream.frames and 'mp4' in self.container.format.name
        missing = max(ends) < promised and not whole
        return missing and not self._goes_on_until(promised - slack), note

    def _ends_inside_a_packet(self) -> bool:
        """Whether a transport stream, whose packets have a fixed size, is truncated."""
        sizes = (188, 192, 204) if self.container.format.name == 'mpegts' else (1,)
        return all(self.container.size % size for size in sizes)

    def _goes_on_until(self, seconds: float) -> bool:
        """Whether another stream, such as sound, lasts that long."""
        with open_video(self._path) as container:
            return any(
                float((packet.pts + (packet.duration or 0)) * packet.time_base) >= seconds
                for packet in container.demux()
                if packet.pts is not None
            )

    def _announced_seconds(self) -> list[float]:
        """Lengths in the header: of the video stream, if given, and of the file."""
        if self.container.format.name in ('mpeg', 'mpegts'):
            return []  # without a header: FFmpeg derives the length from the packets
        whole = (self.container.duration or 0) / av.time_base
        if self.stream.duration:
            return [float(self.stream.duration * self.stream.time_base), whole]
        for key, value in self.stream.metadata.items():
            if key.startswith('DURATION') and value.count(':') == 2:  # Matroska
                hours, minutes, seconds = map(float, value.split(':'))
                return [3600 * hours + 60 * minutes + seconds, whole]
        return [whole]
