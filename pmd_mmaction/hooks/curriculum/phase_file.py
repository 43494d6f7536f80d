"""``phase_K_student.pth``: the student at the end of a phase."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from pmd_mmaction.arguments import Options, Ratio, Whole, require
from pmd_mmaction.storage.atomic_file import write_file
from pmd_mmaction.storage.digest import sha256_of


class PhaseFile(NamedTuple):
    """Content of a phase file.

    Attributes:
        state_dict: weights, keys ``backbone.*`` and ``decoders.*``.
        number: number of the phase, from 1.
        mask_ratio: its mask ratio.
        sha256: digest of the file.
    """

    state_dict: dict[str, Tensor]
    number: int
    mask_ratio: float
    sha256: str


def write_phase_file(
    path: Path, state_dict: dict[str, Tensor], number: int, mask_ratio: float
) -> str:
    """Writes a phase file atomically.

    Returns:
        SHA-256 of the file.
    """
    weights = {key: value.detach().cpu() for key, value in state_dict.items()}
    content = io.BytesIO()  # writing to a file, torch would mask a full-disk error
    torch.save(dict(state_dict=weights, meta=dict(phase=number, mask_ratio=mask_ratio)), content)
    write_file(path, content.getbuffer())
    return hashlib.sha256(content.getbuffer()).hexdigest()


def read_phase_file(path: Path, expected_sha256: str | None = None) -> PhaseFile:
    """Reads a phase file without executing code.

    Args:
        path: the file.
        expected_sha256: digest it must have.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: if its digest differs, or it is not a phase file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist: it holds the student of the phase before, which is the '
            'auxiliary teacher now. Copy it from the work directory of the run, resume from a '
            'checkpoint at the phase boundary, or switch PSD off (psd=None)'
        )
    digest = sha256_of(path)
    if expected_sha256 is not None and digest != expected_sha256:
        raise ValueError(
            f'{path} is not the student that the checkpoint was trained with (SHA-256 '
            f'{digest[:12]}..., expected {expected_sha256[:12]}...): restore the file '
            'of that run'
        )
    content = CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    try:
        state, meta = content['state_dict'], content['meta']
        require('phase file', Options, state_dict=state)
        require('phase file', Whole, phase=meta['phase'])
        require('phase file', Ratio, mask_ratio=meta['mask_ratio'])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is not a phase_K_student.pth of PMD ({error!r})') from error
    return PhaseFile(state, meta['phase'], meta['mask_ratio'], digest)
