"""Index from frames to packets, where the packets prove which frame is which."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import av

from pmd_mmaction.readers.h264_packets import H264Look
from pmd_mmaction.readers.hevc_packets import HevcLook
from pmd_mmaction.readers.packet_look import PacketLook, Unproven
from pmd_mmaction.readers.vpx_av1_packets import Av1Look, Vp8Look, Vp9Look

# Packets of files up to this size stay in memory; most clips of the data sets have 1 MB.
IN_MEMORY = 64 << 20
# Decoders and containers whose packets were shown to be reliable.
_LOOKS = {
    'h264': H264Look,
    'hevc': HevcLook,
    'vp8': Vp8Look,
    'vp9': Vp9Look,
    'libdav1d': Av1Look,
}
_CONTAINERS = {'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm'}


class PacketIndex(NamedTuple):
    """Packets in the order of decoding.

    Attributes:
        times: time stamp of each packet; no two are equal.
        order: frame number to the position of its packet.
        entries: positions where decoding may begin.
        damaged: positions of incomplete packets.
        closed: whether nothing that follows an entry is shown before it.
        spare: positions of frames that no other refers to, as far as known.
        packets: the packets themselves, or None if they are too many.
    """

    times: list[int]
    order: list[int]
    entries: list[int]
    damaged: set[int]
    closed: bool
    spare: set[int]
    packets: list[av.Packet] | None

    def runs(self, positions: set[int]) -> list[tuple[int, int]]:
        """First and last packets of the runs to decode for those at ``positions``."""
        runs = []
        for position in sorted(positions):
            start = self._start(position)
            # A run that reaches this far goes on.
            while runs and start <= runs[-1][1]:
                start = min(start, runs.pop()[0])
            runs.append((start, position))
        return runs

    def _start(self, position: int) -> int:
        for entry in reversed(self.entries):
            # Frames that are shown before an entry but stored after it may refer to frames before
            # it (open groups of pictures).
            if entry <= position and self.times[entry] <= self.times[position]:
                return entry
        return 0


def index_packets(
    container: av.container.InputContainer, stream: av.VideoStream, in_memory: bool
) -> PacketIndex | None:
    """Reads all packets, and proves which frames they show.

    The proof: one packet is one frame, or none; no packet that others refer to is missing; time
    stamps are unique and agree with the presentation order in the packets themselves.

    Args:
        container: a container that was just opened.
        stream: result of ``best_stream``.
        in_memory: keep the packets.

    Returns:
        The index; None if nothing is proven, so that only decoding can tell.

    Raises:
        av.FFmpegError: if the file is damaged.
    """
    codec = stream.codec_context
    look = _LOOKS.get(codec.name)
    if look is None or container.format.name not in _CONTAINERS:
        return None
    try:
        return _index(container, stream, look(codec.extradata), in_memory)
    # A truncated header proves nothing either.
    except (Unproven, IndexError, ValueError):
        return None


def is_small(path: str, content: bytes | None) -> bool:
    """Whether all packets of a file may stay in memory."""
    return (os.path.getsize(path) if content is None else len(content)) <= IN_MEMORY


def _index(container, stream, look: PacketLook, in_memory: bool) -> PacketIndex:
    packets, times = [], []
    for packet in container.demux(stream):
        if not packet.size:
            continue
        # Other parameters begin with a key frame.
        if packet.is_corrupt or (packet.is_keyframe and packet.has_sidedata('new_extradata')):
            raise Unproven
        if packet.is_discard:
            look.hidden.add(len(times))
        look(bytes(packet))
        times.append(packet.pts)
        if in_memory:
            packets.append(packet)
    look.finish()
    by_time = _sort(times, look.ranks)
    return PacketIndex(
        times,
        [i for i in by_time if i not in look.hidden] if look.hidden else by_time,
        look.entries,
        look.damaged,
        all(by_time[i] == i for i in look.entries),
        look.spare,
        packets if in_memory else None,
    )


def _sort(times: list[int | None], ranks: list[int | None]) -> list[int]:
    """Positions in order of time, which has to agree with the ranks."""
    if None in times or len(set(times)) < len(times):
        raise Unproven
    by_time = sorted(range(len(times)), key=times.__getitem__)
    known = [ranks[i] for i in by_time if ranks[i] is not None]
    if any(a >= b for a, b in pairwise(known)):
        raise Unproven
    return by_time


def packets_from(
    index: PacketIndex,
    position: int,
    container: av.container.InputContainer,
    stream: av.VideoStream,
) -> Iterator[av.Packet]:
    """The packets from ``position`` on, from memory or from the file.

    Raises:
        Unproven: if the file now gives other packets.
    """
    if index.packets is not None:
        yield from index.packets[position:]
        return
    container.seek(index.times[position], stream=stream)
    packets = (packet for packet in container.demux(stream) if packet.size)
    # Earlier packets are skipped. A container that seeks too far never gets there.
    for packet in packets:
        if packet.pts == index.times[position]:
            yield packet
            break
    for time, packet in zip(index.times[position + 1 :], packets, strict=False):
        if packet.pts != time:
            raise Unproven
        yield packet
