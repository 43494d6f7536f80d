"""Reading checkpoints from a URL with the same care as from disk."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from mmengine.dist import barrier, get_rank
from mmengine.runner.checkpoint import CheckpointLoader
from torch.hub import download_url_to_file, get_dir

from pmd_mmaction.compat.checkpoint import MMENGINE_LOADER, load_from_local
from pmd_mmaction.compat.repair import Repair

# torch's own takes vit-b.pth for a name with a hash
_HASH = re.compile(r'-([a-f0-9]{8,})\.')


def load_from_http(filename: str, map_location: Any = None) -> Any:
    """Downloads a checkpoint once, into torch's cache, and loads it without running code.

    Args:
        filename: The URL. A hash in its name, as in ``name-0123abcd.pth``, is checked.
        map_location: Same as in `torch.load`.

    Returns:
        The content of the file.

    Raises:
        urllib.error.URLError: If it cannot be downloaded.
        pickle.UnpicklingError: If the file holds anything that may run code.
        RuntimeError: If its hash is wrong.
    """
    folder, name = Path(get_dir(), 'checkpoints'), os.path.basename(urlparse(filename).path)
    if not _HASH.search(name):  # many addresses end in model.safetensors
        folder = folder / sha256(filename.encode()).hexdigest()[:16]
    path = folder / name
    try:
        if get_rank() == 0:
            _download(filename, path)
    finally:
        barrier()
    _download(filename, path)  # on another node, which has a cache of its own
    return load_from_local(str(path), map_location)


def _download(address: str, path: Path) -> None:
    """Does nothing where the file is there; several processes may do it at a time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = _HASH.search(path.name)
        download_url_to_file(address, str(path), digest and digest.group(1), progress=False)


def urls_run_code() -> bool:
    """Whether mmengine's own loader of URLs, which unpickles anything, is in charge."""
    loader = CheckpointLoader._schemes.get('https://')
    return loader is not None and loader.__module__ == MMENGINE_LOADER


def register_loader() -> None:
    """Makes `load_from_http` the loader for URLs."""
    CheckpointLoader.register_scheme(('http://', 'https://'), load_from_http, force=True)


REPAIRS = (
    Repair(
        'checkpoint-download',
        'mmengine unpickles whatever a URL delivers',
        urls_run_code,
        register_loader,
    ),
)
