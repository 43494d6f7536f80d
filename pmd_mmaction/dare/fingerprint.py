"""Fingerprint that ties a difficulty table to its data set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import PurePath


def dataset_fingerprint(
    names: Iterable[str | os.PathLike], root: str | os.PathLike | None = None
) -> dict[str, int | str]:
    """Digests the names of a data set's videos in the order of their sample indexes.

    Order matters, because row i of the table belongs to sample i. Only the part of a name below
    the data root is taken, so moving the data does not change the fingerprint.

    Args:
        names: File names of the videos in sample order, relative to the data root or below `root`.
        root: Data root to strip from names that lie below it; other names are taken as they are.

    Returns:
        ``{"num_videos": int, "sha256": str}``, JSON-compatible; the digest has 64 hex digits.

    Raises:
        TypeError: If `names` is one string instead of many.
    """
    if isinstance(names, (str, bytes)):
        raise TypeError('names must be an iterable of file names, got a single string')
    digest, count = hashlib.sha256(), 0
    below = None if root is None else PurePath(root).as_posix() + '/'
    for name in names:
        name = name if _is_plain(name, below) else _relative(name, root)
        encoded = name.removeprefix(below or '').encode('utf-8', 'surrogateescape')
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(encoded).to_bytes(8, 'little') + encoded)
        count += 1
    return {'num_videos': count, 'sha256': digest.hexdigest()}


def _is_plain(name: str | os.PathLike, below: str | None) -> bool:
    """Whether a name lies below the root, or there is none, and a path would change nothing."""
    return (
        os.sep == '/'
        and isinstance(name, str)
        and (below is None or name.startswith(below))
        and '//' not in name
        and '/./' not in name
        and not name.startswith('./')
        and not name.endswith(('/', '/.'))
    )


def _relative(name: str | os.PathLike, root: str | os.PathLike | None) -> str:
    """Name below the root with forward slashes, or the name itself if it lies elsewhere."""
    path = PurePath(name)
    if root is not None and path.is_relative_to(root):
        path = path.relative_to(root)
    return path.as_posix()
