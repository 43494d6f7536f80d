"""SHA-256 of files."""

import hashlib
from pathlib import Path
from typing import BinaryIO

BLOCK = 2**20


def sha256_of(path: Path, size: int | None = None) -> str:
    """SHA-256 of a file or of its first ``size`` bytes, 64 hex digits."""
    with path.open('rb') as file:
        return digest_of(file, path.stat().st_size if size is None else size)


def digest_of(file: BinaryIO, size: int) -> str:
    """SHA-256 of the next ``size`` bytes of an open file, or of those that are left."""
    digest = hashlib.sha256()  # Python 3.10 has no hashlib.file_digest
    while size and (block := file.read(min(BLOCK, size))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
