"""Frame order from the headers of HEVC packets (ITU-T H.265, 7.3 and 8.3.1)."""

from __future__ import annotations

from pmd_mmaction.readers.packet_look import (
    Malformed,
    PacketLook,
    Unproven,
    bits_of,
    exp_golomb,
    length_prefixed,
)

_LEADING_SKIPPED = {8, 9}  # refer to what was before a clean random access
_LEADING = {6, 7, *_LEADING_SKIPPED}
_IDR, _CLEAN = {19, 20}, 21
_PARAMETERS, _SPS, _PPS, _ENDS = {32, 33, 34}, 33, 34, {36, 37}
# Far more than the pictures between two IDR pictures are counted in.
_PERIOD = 1 << 40


class HevcLook(PacketLook):
    """Looks at the packets of an HEVC stream, one after the other, as ``H264Look`` does.

    That none is missing follows from the picture numbers, which have no gap.

    Args:
        extradata: the parameters as MP4 and Matroska store them.

    Raises:
        Unproven: if the stream is of another kind.
    """

    def __init__(self, extradata: bytes) -> None:
        super().__init__(extradata)
        if extradata[:1] != b'\1' or extradata[21] & 3 != 3:
            raise Unproven
        self._order_bits = _read_sps(_only_unit(extradata, _SPS))
        self._extra_bits = _read_pps(_only_unit(extradata, _PPS))
        self._period, self._lost = 0, False
        self._high = self._low = 0
        self._orders: list[int] = []

    def __call__(self, data: bytes) -> None:
        """Looks at the next packet; raises Unproven."""
        try:
            start = self._find_picture(data)
        except Malformed:
            self._lost = True
            self.add_damaged()
            return
        kind = data[start] >> 1 & 63
        if kind in _IDR:
            self.finish()
            self._period, self._lost = self._period + _PERIOD, False
        if self._lost:
            self.add(None)
            return
        entry = kind in _IDR or kind == _CLEAN
        # At the beginning, pictures that refer to what was before it are not shown.
        if not (entry or self.entries) or (kind in _LEADING_SKIPPED and len(self.entries) == 1):
            raise Unproven
        self._orders.append(self._order(data, start))
        self.add(self._period + self._orders[-1], entry)

    def finish(self) -> None:
        """Checks the pictures since the last IDR picture.

        Raises:
            Unproven: if one is missing.
        """
        orders, self._orders = self._orders, []
        if not self._lost and orders and max(orders) - min(orders) + 1 != len(orders):
            raise Unproven

    def _find_picture(self, data: bytes) -> int:
        """Where the first slice of the only picture begins."""
        picture = None
        for start, end in length_prefixed(data):
            kind = data[start] >> 1 & 63
            if kind < 32:
                # Another layer, a broken link, or reserved.
                if data[start] & 1 or data[start + 1] >> 3 or 9 < kind < 19 or kind > _CLEAN:
                    raise Unproven
                if data[start + 2] & 128:  # the first slice of a picture
                    if picture is not None:
                        raise Unproven
                    picture = start
            elif kind in _PARAMETERS:
                if data[start:end] not in self._extradata:
                    raise Unproven  # the meaning of other packets would depend on the way to them
            elif kind in _ENDS:  # change what comes next
                raise Unproven
        if picture is None:
            raise Unproven
        return picture

    def _order(self, data: bytes, start: int) -> int:
        """Picture order count, of which the header has only the lower bits."""
        kind, layer = data[start] >> 1 & 63, data[start + 1] & 7
        high = low = 0
        if kind not in _IDR:
            bits = bits_of(data[start + 2 : start + 26])
            _, at = exp_golomb(bits, 2 if kind >= 16 else 1)  # picture parameters
            _, at = exp_golomb(bits, at + self._extra_bits)  # type
            low = int(bits[at : at + self._order_bits], 2)
            modulus, first = 1 << self._order_bits, kind == _CLEAN and not self.entries
            high = 0 if first else self._high
            if not first and low < self._low and self._low - low >= modulus // 2:
                high += modulus
            elif not first and low > self._low and low - self._low > modulus // 2:
                high -= modulus
        # The next picture counts from the last reference picture of the lowest layer.
        if layer == 1 and kind not in _LEADING and (kind & 1 or kind >= 16):
            self._high, self._low = high, low
        return high + low


def _only_unit(extradata: bytes, kind: int) -> bytes:
    """The only unit of a kind among the stored parameters."""
    units, at = [], 23
    for _ in range(extradata[22]):
        this = extradata[at] & 63
        count, at = int.from_bytes(extradata[at + 1 : at + 3], 'big'), at + 3
        for _ in range(count):
            start = at + 2
            at = start + int.from_bytes(extradata[at:start], 'big')
            if this == kind:
                units.append(extradata[start:at])
    if len(units) != 1:
        raise Unproven
    return units[0]


def _read_sps(data: bytes) -> int:
    """Number of lower bits of the picture order count in a slice header."""
    bits = bits_of(data[2:])
    layers, at = int(bits[4:7], 2), 8 + 96
    if layers:
        flags, at = bits[at : at + 2 * layers], at + 16
        at += 88 * flags[::2].count('1') + 8 * flags[1::2].count('1')
    _, at = exp_golomb(bits, at)
    colours, at = exp_golomb(bits, at)
    if colours == 3 and bits[at] == '1':
        raise Unproven  # planes on their own
    at += colours == 3
    for _ in range(2):  # width, height
        _, at = exp_golomb(bits, at)
    window, at = bits[at], at + 1
    for _ in range(6 if window == '1' else 2):  # window, depths
        _, at = exp_golomb(bits, at)
    return exp_golomb(bits, at)[0] + 4


def _read_pps(data: bytes) -> int:
    """Number of unused bits in a slice header."""
    bits = bits_of(data[2:])
    _, at = exp_golomb(bits, 0)
    _, at = exp_golomb(bits, at)
    if bits[at + 1] == '1':
        raise Unproven  # a picture may say that it is not shown
    return int(bits[at + 2 : at + 5], 2)
