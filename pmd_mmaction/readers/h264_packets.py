"""What the headers of H.264 packets say about the frames in them (ITU-T H.264, 7.3 and 8.2.1)."""

from __future__ import annotations

from pmd_mmaction.readers.packet_look import (
    DAMAGED,
    Malformed,
    PacketLook,
    Unproven,
    bits_of,
    exp_golomb,
    length_prefixed,
)

_SLICE, _IDR, _SEI, _SPS, _PPS = 1, 5, 6, 7, 8
_HARMLESS = {_SEI, 9, 12}  # 9: start of a picture, 12: filler
# Profiles whose parameters begin with the format of the colours.
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134}
# Far more than the pictures between two IDR pictures are counted in.
_PERIOD = 1 << 40


class H264Look:
    """Looks at the packets of a progressive H.264 stream, one after the other.

    Proves that each is one whole picture, that none is missing that others refer to, where
    decoding may begin, and in which order the pictures are shown. Of what follows a damaged packet
    only the time stamps tell the order, up to the next picture that refers to none.

    Args:
        extradata: the parameters as MP4 and Matroska store them.

    Raises:
        Unproven: if the stream is of another kind.
    """

    skips = True  # the decoder may leave out what no other picture refers to

    def __init__(self, extradata: bytes) -> None:
        if extradata[:1] != b'\1' or extradata[4] & 3 != 3 or extradata[5] & 31 != 1:
            raise Unproven
        self._extradata = extradata
        size = int.from_bytes(extradata[6:8], 'big')
        self._frame_bits, self._order_bits = _read_sps(extradata[8 : 8 + size])
        self._lost = False  # whether others may refer to what is damaged
        self._period = self._count = self._frame = self._high = self._low = 0

    def __call__(self, data: bytes) -> PacketLook:
        """Looks at the next packet in decoding order.

        Raises:
            Unproven: if it cannot be told what will be shown.
        """
        try:
            return self._look(data, *self._find_picture(data))
        except Malformed:
            self._lost = True
            return DAMAGED

    def _find_picture(self, data: bytes) -> tuple[int, bool]:
        """Where the first slice begins, and whether decoding may begin with it."""
        picture, recovers = None, False
        for start, end in length_prefixed(data):
            kind = data[start] & 31
            if kind in (_SLICE, _IDR):
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

    def _look(self, data: bytes, start: int, recovers: bool) -> PacketLook:
        """Reads the header of a slice as far as the order of the picture."""
        idr, refers = data[start] & 31 == _IDR, data[start] & 96 != 0
        bits = bits_of(data[start + 1 : start + 25])
        _, at = exp_golomb(bits, 1)  # type
        _, at = exp_golomb(bits, at)  # picture parameters
        frame, at = int(bits[at : at + self._frame_bits], 2), at + self._frame_bits
        if idr:
            _, at = exp_golomb(bits, at)
            self._lost = False
            self._period += _PERIOD
            self._high = self._low = 0
        if self._lost:
            return PacketLook(None, False)
        if frame != (0 if idr else (self._frame + 1) % (1 << self._frame_bits)):
            raise Unproven  # a picture is missing
        if not (idr or self._count):
            raise Unproven  # the beginning is missing
        self._count += 1
        rank = self._count
        if self._order_bits:
            rank = self._period + self._order(int(bits[at : at + self._order_bits], 2), refers)
        if refers:
            self._frame = frame
        return PacketLook(rank, idr or (recovers))

    def finish(self) -> None:
        """Nothing was left open."""

    def _order(self, low: int, refers: bool) -> int:
        """Place of a picture in the order of presentation, of which it tells the lower bits."""
        modulus, high = 1 << self._order_bits, self._high
        if low < self._low and self._low - low >= modulus // 2:
            high += modulus
        elif low > self._low and low - self._low > modulus // 2:
            high -= modulus
        if refers:
            self._high, self._low = high, low
        return high + low


def _read_sps(data: bytes) -> tuple[int, int]:
    """Bits of the number of a frame, and of its order; 0 where it is that of decoding."""
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
    """Whether the message says that decoding may begin at this very picture."""
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
