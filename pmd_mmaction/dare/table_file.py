"""File format in which a difficulty table is saved.

Layout, all numbers little-endian:

====================  =======================================================================
8 bytes               magic ``PMDTABLE``
uint32                version of the format, 1
uint32                length of the header
header                UTF-8 JSON: ``layout``, ``fingerprint``, ``counters``
2 x the array         ``current``, then ``stage``, C order
32 bytes              SHA-256 of everything before
====================  =======================================================================

Tables are gigabytes, so they pass in chunks in both directions. `load` reads the file twice: the
digest stands for the whole file, and only a verified file may change the table.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, BinaryIO

from pmd_mmaction.dare.layout import TableLayout
from pmd_mmaction.dare.table import DifficultyTable
from pmd_mmaction.storage.atomic_file import atomic_writer
from pmd_mmaction.storage.digest import digest_of

_MAGIC = b'PMDTABLE'
_VERSION = 1
_PREFIX = struct.Struct('<8sII')
_DIGEST_BYTES = hashlib.sha256().digest_size
_MAX_HEADER_BYTES = 2**20
_DAMAGED = 'The file is damaged: resume from an earlier checkpoint with its own table.'


@dataclass(frozen=True)
class TableFileInfo:
    """Header and digest of a table file.

    Attributes:
        layout: Size and number format of the table.
        fingerprint: Fingerprint of the data set, see `dataset_fingerprint`.
        counters: Other values stored by the writer, for instance the epoch.
        digest: SHA-256 of the file, 64 hex digits.
        header_bytes: Offset of the arrays.
    """

    layout: TableLayout
    fingerprint: dict[str, Any]
    counters: dict[str, Any]
    digest: str
    header_bytes: int


def save(
    table: DifficultyTable,
    path: str | os.PathLike,
    fingerprint: dict[str, Any],
    counters: dict[str, Any] | None = None,
) -> str:
    """Writes a table to a file, atomically: after a crash the old file or the new one is there.

    Args:
        table: The table; it must not be written to meanwhile.
        path: The file to create or to replace.
        fingerprint: Fingerprint of the data set, JSON-compatible.
        counters: Anything else to remember, JSON-compatible.

    Returns:
        The digest of the file, 64 hex digits, for the checkpoint that belongs to it.

    Raises:
        OSError: If the file cannot be written; an old one is intact.
    """
    header = dict(layout=asdict(table.layout), fingerprint=fingerprint, counters=counters or {})
    encoded = json.dumps(header, sort_keys=True).encode()
    prefix = _PREFIX.pack(_MAGIC, _VERSION, len(encoded))
    digest = hashlib.sha256()
    size = len(prefix) + len(encoded) + table.nbytes + _DIGEST_BYTES
    # Hashing takes about as long as writing; both release the interpreter lock.
    with atomic_writer(path, size) as file, ThreadPoolExecutor(1) as thread:
        for block in chain((prefix, encoded), table.chunks()):
            hashed = thread.submit(digest.update, block)
            file.write(block)
            hashed.result()
        file.write(digest.digest())
    return digest.hexdigest()


def load(
    table: DifficultyTable,
    path: str | os.PathLike,
    expected_digest: str | None = None,
    expected_fingerprint: dict[str, Any] | None = None,
) -> TableFileInfo:
    """Fills a table from a file; the table is changed only if the whole file has been verified.

    Args:
        table: The table to fill, of the same layout; it must not be used meanwhile.
        path: The file.
        expected_digest: The digest that `save` returned, if known.
        expected_fingerprint: Fingerprint of the data set in use, if it is to be compared.

    Returns:
        Header and digest of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or not the one expected; the message says what differs.
    """
    with open(path, 'rb') as file:
        info = _read_info(file, path)
        _check_expected(info, path, table.layout, expected_digest, expected_fingerprint)
        _check_digest(file, info, path)
        file.seek(info.header_bytes)
        for chunk in table.chunks():
            if file.readinto(chunk) != len(chunk):
                raise OSError(f'{path} became shorter while it was read; the table is incomplete')
    return info


def inspect(path: str | os.PathLike) -> TableFileInfo:
    """Reads header and digest of a table file quickly, without verifying the digest.

    Args:
        path: The file.

    Returns:
        Layout, fingerprint, counters and digest.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a table file of this version or has the wrong length.
    """
    with open(path, 'rb') as file:
        return _read_info(file, path)


def _read_info(file: BinaryIO, path: str | os.PathLike) -> TableFileInfo:
    """Parse header and trailing digest, and check that the length is what the header implies."""
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
        raise ValueError(f'{path} is not a difficulty table: it does not begin with {_MAGIC!r}.')
    _, version, length = _PREFIX.unpack(prefix)
    if version != _VERSION:
        raise ValueError(
            f'{path} has version {version} of the format, this program reads {_VERSION}: use the '
            'release that wrote it.'
        )
    header = _parse_header(file.read(min(length, _MAX_HEADER_BYTES)), path)
    start = _PREFIX.size + length
    expected = start + header['layout'].nbytes + _DIGEST_BYTES
    found = os.fstat(file.fileno()).st_size
    if found != expected:
        raise ValueError(f'{path} has {found} bytes instead of {expected}. {_DAMAGED}')
    file.seek(-_DIGEST_BYTES, os.SEEK_END)
    return TableFileInfo(**header, digest=file.read().hex(), header_bytes=start)


def _parse_header(encoded: bytes, path: str | os.PathLike) -> dict[str, Any]:
    """Decode the JSON header, its layout as an object."""
    try:
        header = json.loads(encoded)
        return {
            'layout': TableLayout(**header['layout']),
            'fingerprint': header['fingerprint'],
            'counters': header['counters'],
        }
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f'{path} has an unreadable header ({error}). {_DAMAGED}') from error


def _check_expected(
    info: TableFileInfo,
    path: str | os.PathLike,
    layout: TableLayout,
    digest: str | None,
    fingerprint: dict[str, Any] | None,
) -> None:
    """Raises if the file is sound by its header, but not the one that the caller needs."""
    if info.layout.shape != layout.shape:
        raise ValueError(
            f'{path} holds a table of shape {info.layout.shape} (videos, teachers, patches), this '
            f'run has {layout.shape}: resume with the data set and the patch grid of that run.'
        )
    if info.layout.dtype != layout.dtype:
        raise ValueError(
            f'{path} holds {info.layout.dtype} values, this run keeps {layout.dtype}: set the '
            f"table's dtype to {info.layout.dtype}."
        )
    if fingerprint is not None and info.fingerprint != fingerprint:
        raise ValueError(
            f'{path} belongs to the data set {info.fingerprint}, this run has {fingerprint}: '
            'resume with the same annotation file, in the same order.'
        )
    if digest is not None and info.digest != digest:
        raise ValueError(
            f'{path} has the digest {info.digest}, the checkpoint names {digest}: put the table '
            'that was saved with this checkpoint in its place.'
        )


def _check_digest(file: BinaryIO, info: TableFileInfo, path: str | os.PathLike) -> None:
    """Raises if the bytes of the file do not match its digest."""
    file.seek(0)
    found = digest_of(file, info.header_bytes + info.layout.nbytes)
    if found != info.digest:
        raise ValueError(
            f'{path} has content of digest {found}, but says {info.digest}. {_DAMAGED}'
        )
