"""Frame order from the packets of VP8, VP9 and AV1."""

from __future__ import annotations

from collections.abc import Iterator

from pmd_mmaction.readers.packet_look import PacketLook, Unproven


class Vp8Look(PacketLook):
    """Looks at VP8 packets (RFC 6386, 9.1)."""

    def __call__(self, data: bytes) -> None:
        """Looks at the next packet; raises Unproven."""
        entry = not data[0] & 1
        if entry and data[3:6] != b'\x9d\x01\x2a':
            raise Unproven
        _add_next(self, entry, data[0] & 16 != 0)


class Vp9Look(PacketLook):
    """Looks at VP9 packets, which may hold several frames (VP9 bitstream, 7.2 and annex B)."""

    def __call__(self, data: bytes) -> None:
        """Looks at the next packet; raises Unproven."""
        shown, entry = 0, False
        for n, start in enumerate(_superframe(data)):
            head = data[start]
            if head >> 6 != 2:
                raise Unproven
            bits = head if head & 48 == 48 else head >> 1  # profile 3 has a bit more
            again, inter, visible = bits & 4, bits & 2, bits & 1
            shown += bool(again or visible)
            entry = entry or (n == 0 and not again and not inter)
        if shown > 1:
            raise Unproven
        _add_next(self, entry, shown == 1)


class Av1Look(PacketLook):
    """Looks at AV1 packets, each of which shows one frame (AV1 bitstream, 5.3 to 5.9, 7.5)."""

    _sequence: bytes | None = None

    def __call__(self, data: bytes) -> None:
        """Looks at the next packet; raises Unproven."""
        described, entry = False, None
        for kind, start, end in _obus(data):
            if kind == 1:  # the sequence
                self._sequence = self._sequence or data[start:end]
                if data[start:end] != self._sequence or data[start] & 8:
                    raise Unproven  # another one, or a still picture
                described = True
            elif kind in (3, 6) and entry is None:  # the first frame: a key frame, and shown
                entry = described and data[start] >> 4 == 1
        _add_next(self, bool(entry), True)


def _add_next(look: PacketLook, entry: bool, shown: bool) -> None:
    """Records a packet of a codec that stores frames in presentation order."""
    position = len(look.ranks)
    if not (entry or position):
        raise Unproven  # the beginning is missing
    if not shown:
        look.hidden.add(position)
    look.add(position, entry)


def _superframe(data: bytes) -> list[int]:
    """Where the frames of a VP9 packet begin."""
    last = data[-1]
    if last & 224 != 192:
        return [0]
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    index = len(data) - 2 - count * width
    if index < 0 or data[index] != last:
        return [0]
    starts, at = [], 0
    for n in range(count):
        place = index + 1 + n * width
        starts.append(at)
        at += int.from_bytes(data[place : place + width], 'little')
    if at > index:
        raise Unproven
    return starts


def _obus(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, beginning and end of the units of an AV1 packet."""
    at = 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 4 else 1
        size, shift = len(data) - at, 0
        if head & 2:
            size = 0
            while True:
                byte = data[at]
                size, shift, at = size | (byte & 127) << shift, shift + 7, at + 1
                if not byte & 128:
                    break
        if at + size > len(data):
            raise Unproven
        yield head >> 3 & 15, at, at + size
        at += size
