"""Reads information from compressed packets without a decoder."""

from __future__ import annotations

from collections.abc import Iterator


class Unproven(Exception):
    """The packets do not determine what the decoder will show."""


class Malformed(Unproven):
    """An incomplete packet of a supported kind: the file is damaged here."""


class PacketLook:
    """Looks at the packets of a stream in decoding order, each a call with its bytes.

    A call raises :class:`Unproven` if it is unclear what will be shown.

    Attributes:
        ranks: presentation order of each packet; None if only its time stamp gives it.
        entries: positions where decoding may begin, for everything shown after them.
        spare: positions of pictures that no other refers to, as far as known.
        hidden: positions of reference pictures that are not shown.
        damaged: positions of incomplete packets.
    """

    def __init__(self, extradata: bytes | None = None) -> None:
        self._extradata = extradata
        self.ranks: list[int | None] = []
        self.entries: list[int] = []
        self.spare: set[int] = set()
        self.hidden: set[int] = set()
        self.damaged: set[int] = set()

    def __call__(self, data: bytes) -> None:
        """Looks at the next packet."""
        raise NotImplementedError

    def finish(self) -> None:
        """Checks all packets together; raises Unproven."""

    def add(self, rank: int | None, entry: bool = False) -> None:
        """Records a packet that is shown."""
        if entry:
            self.entries.append(len(self.ranks))
        self.ranks.append(rank)

    def add_damaged(self) -> None:
        """Records an incomplete packet."""
        self.damaged.add(len(self.ranks))
        self.ranks.append(None)


def length_prefixed(data: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each unit of an H.264 or HEVC packet, after its 4-byte length.

    Raises:
        Malformed: if the lengths do not add up to that of the packet.
    """
    at = 0
    while at < len(data):
        start = at + 4
        at = start + int.from_bytes(data[at:start], 'big')
        if not start < at <= len(data):
            raise Malformed
        yield start, at


def bits_of(data: bytes) -> str:
    """The bits as text, without emulation prevention bytes."""
    data = data.replace(b'\0\0\3', b'\0\0')
    return format(int.from_bytes(data, 'big'), f'0{8 * len(data)}b')


def exp_golomb(bits: str, at: int) -> tuple[int, int]:
    """Reads an Exp-Golomb number; returns it and the start of the next field."""
    one = bits.index('1', at)
    end = 2 * one - at + 1
    return int(bits[one:end], 2) - 1, end
