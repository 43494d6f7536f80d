"""Frame order from the headers of H.264 packets (ITU-T H.264, 7.3 and 8.2.1)."""

from __future__ import annotations

from pmd_mmaction.readers.packet_look import (
    Malformed,
    PacketLook,
    Unproven,
    bits_of,
    exp_golomb,
    length_prefixed,
)

_IDR, _SEI, _SPS, _PPS = 5, 6, 7, 8
_SLICES = {1, _IDR}
_HARMLESS = {_SEI, 9, 12}  # 9: start of a picture, 12: filler
# Profiles whose parameters begin with the chroma format.
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134}
# Far more than the pictures between two IDR pictures are counted in.
_PERIOD = 1 << 40


def _after_type(byte: int) -> int:
    """Bits of a slice before its frame number, or 0 if they do not end in this byte."""
    bits, at = f'{byte:08b}', 1
    for _ in range(2):  # type, picture parameters
        if '1' not in bits[at:]:
            return 0
        _, at = exp_golomb(bits, at)
    return at if at <= 8 else 0


_AFTER_TYPE = [_after_type(byte) for byte in range(256)]


class H264Look(PacketLook):
    """Looks at the packets of a progressive H.264 stream, one after the other.

    Proves that each is one complete picture, that no reference picture is missing, where decoding
    may begin, and in which order the pictures are shown. After a damaged packet only the time
    stamps give the order, up to the next picture without references.

    Args:
        extradata: the parameters as MP4 and Matroska store them.

    Raises:
        Unproven: if the stream is of another kind.
    """

    def __init__(self, extradata: bytes) -> None:
        super().__init__(extradata)
        if extradata[:1] != b'\1' or extradata[4] & 3 != 3 or extradata[5] & 31 != 1:
            raise Unproven
        size = int.from_bytes(extradata[6:8], 'big')
        self._frame_bits, self._order_bits = _read_sps(extradata[8 : 8 + size])
        self._bits = self._frame_bits + self._order_bits
        self._mask = (1 << self._bits) - 1
        self._frame_mask = (1 << self._frame_bits) - 1
        self._order_mask = (1 << self._order_bits) - 1
        self._half = 1 << self._order_bits >> 1
        self._lost = False  # whether others may refer to what is damaged
        self._period = self._frame = self._high = self._low = 0

    def __call__(self, data: bytes) -> None:
        """Looks at the next packet; raises Unproven."""
        start, recovers = 4, False
        if not _only_slices(data):
            try:
                start, recovers = self._find_picture(data)
            except Malformed:
                self._lost = True
                self.add_damaged()
                return
        kind = data[start]
        idr, refers = kind & 31 == _IDR, kind & 96
        head = data[start + 1 : start + 17]
        at = 0 if idr else _AFTER_TYPE[head[0]]
        if at and len(head) == 16 and b'\0\0\3' not in head:
            # The common case; this runs for every packet of every clip.
            both = int.from_bytes(head, 'big') >> (128 - at - self._bits) & self._mask
            frame, low = both >> self._order_bits, both & self._order_mask
        else:
            frame, low = self._read_head(head, idr)
        if idr:
            self._lost = False
            self._period += _PERIOD
            self._high = self._low = 0
        if self._lost:
            self.add(None)
            return
        # Nothing precedes the first IDR picture, and no other number is skipped.
        if not self._period or frame != (0 if idr else self._frame + 1 & self._frame_mask):
            raise Unproven
        if refers:
            self._frame = frame
        else:
            self.spare.add(len(self.ranks))
        self.add(self._period + self._order(low, refers), idr or recovers)

    def _find_picture(self, data: bytes) -> tuple[int, bool]:
        """Where the first slice begins, and whether decoding may begin with it."""
        picture, recovers = None, False
        for start, end in length_prefixed(data):
            kind = data[start] & 31
            if kind in _SLICES:
                if data[start + 1] & 128:  # the first slice of a picture
                    if picture is not None:
                        raise Unproven
                    picture = start
            elif kind == _SEI:
                recovers = recovers or _recovers_here(data[start + 1 : end])
            elif kind in (_SPS, _PPS):
                if data[start:end] not in self._extradata:
                    raise Unproven  # the meaning of other packets would depend on the way to them
            elif kind not in _HARMLESS:
                raise Unproven
        if picture is None:
            raise Unproven
        return picture, recovers

    def _read_head(self, head: bytes, idr: bool) -> tuple[int, int]:
        """Frame number, and the lower bits of the picture order count."""
        bits = bits_of(head)
        _, at = exp_golomb(bits, 1)  # type
        _, at = exp_golomb(bits, at)  # picture parameters
        frame, at = int(bits[at : at + self._frame_bits], 2), at + self._frame_bits
        if idr:
            _, at = exp_golomb(bits, at)
        return frame, int(bits[at : at + self._order_bits] or '0', 2)

    def _order(self, low: int, refers: bool) -> int:
        """Picture order count, of which the header has only the lower bits."""
        if not self._order_bits:
            return len(self.ranks)
        high, step = self._high, low - self._low
        if step <= -self._half:
            high += 2 * self._half
        elif step > self._half:
            high -= 2 * self._half
        if refers:
            self._high, self._low = high, low
        return high + low


def _only_slices(data: bytes) -> bool:
    """Whether a packet is the slices of one picture and nothing else, as most are."""
    if len(data) < 6:
        return False
    kind, end = data[4] & 31, 4 + int.from_bytes(data[:4], 'big')
    fine = kind in _SLICES and data[5] & 128  # the first slice of a picture
    while fine and end + 5 < len(data):
        fine = data[end + 4] & 31 == kind and not data[end + 5] & 128
        end += 4 + int.from_bytes(data[end : end + 4], 'big')
    return fine and end == len(data)


def _read_sps(data: bytes) -> tuple[int, int]:
    """Bits of the frame number, and of the picture order count (0: the decoding order)."""
    bits, at = bits_of(data), 32  # after the kind, profile and level
    _, at = exp_golomb(bits, at)
    if data[1] in _HIGH:
        colours, at = exp_golomb(bits, at)
        if colours == 3 and bits[at] == '1':
            raise Unproven  # a packet may hold one of three planes
        _, at = exp_golomb(bits, at + (colours == 3))  # depths
        _, at = exp_golomb(bits, at)
        if bits[at + 1] == '1':
            raise Unproven  # scaling matrices, which are long
        at += 2
    frame, at = exp_golomb(bits, at)
    order, at = exp_golomb(bits, at)
    order_bits = 0
    if order == 0:
        order_bits, at = exp_golomb(bits, at)
        order_bits += 4
    elif order == 1:
        raise Unproven
    _, at = exp_golomb(bits, at)  # references
    _, at = exp_golomb(bits, at + 1)  # width
    _, at = exp_golomb(bits, at)  # height
    if bits[at] == '0':
        raise Unproven  # a packet may hold one of two fields
    return frame + 4, order_bits


def _recovers_here(sei: bytes) -> bool:
    """Whether the message allows decoding to begin at this picture."""
    sei, at = sei.replace(b'\0\0\3', b'\0\0'), 0
    while at + 2 < len(sei):
        fields = []
        for _ in range(2):  # type, size
            value = 0
            while sei[at] == 255:
                value, at = value + 255, at + 1
            fields.append(value + sei[at])
            at += 1
        if fields[0] == 6:
            return sei[at] & 128 != 0
        at += fields[1]
    return False
