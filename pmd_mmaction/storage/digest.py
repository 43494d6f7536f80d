"""SHA-256 of files."""

import hashlib
from pathlib import Path

BLOCK = 2**20


def sha256_of(path: Path, size: int | None = None) -> str:
    """SHA-256 of a file or of its first ``size`` bytes, 64 hex digits."""
    digest = hashlib.sha256()  # Python 3.10 has no hashlib.file_digest
    with path.open('rb') as file:
        left = path.stat().st_size if size is None else size
        while left and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()
