"""What a compressed packet says about itself, without a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Unproven(Exception):
    """The packets do not tell what the decoder will show."""


class Malformed(Unproven):
    """A packet of a proven kind that is no whole packet: the file is damaged here."""


class PacketLook(NamedTuple):
    """One packet.

    Attributes:
        rank: place in the order of presentation; None if only the time stamp tells.
        entry: whether decoding may begin here, for all that is shown later than this.
        shown: whether it is shown, and not only referred to.
        damaged: whether the decoder must not see it.
    """

    rank: int | None
    entry: bool
    shown: bool = True
    damaged: bool = False


DAMAGED = PacketLook(None, False, damaged=True)


def length_prefixed(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the units of an H.264 or HEVC packet begin and end, each after its 4-byte length.

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
    """The bits as text, without the bytes that keep start codes out."""
    data = data.replace(b'\0\0\3', b'\0\0')
    return format(int.from_bytes(data, 'big'), f'0{8 * len(data)}b')


def exp_golomb(bits: str, at: int) -> tuple[int, int]:
    """Reads an Exp-Golomb number; gives it and where the next field begins."""
    one = bits.index('1', at)
    end = 2 * one - at + 1
    return int(bits[one:end], 2) - 1, end
