"""Reduces a checkpoint to the weights to publish and adds its digest to the file name."""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import hashlib
import io
import pickle
import sys
from collections.abc import Mapping
from datetime import date

import torch
from torch import Tensor

import pmd_mmaction
from pmd_mmaction.compat.checkpoint import load_from_local
from pmd_mmaction.compat.terminal import accept_any_name
from pmd_mmaction.storage.atomic_file import atomic_writer

# What to keep: name to prefixes of the weights.
PARTS = {
    'backbone': ('backbone.',),
    'recognizer': ('backbone.', 'cls_head.'),
    'student': ('backbone.', 'decoders.'),
}
META = ('epoch', 'iter', 'dataset_meta', 'mmengine_version', 'mmaction2_version')
# MMEngine's EMAHook saves the average as `state_dict`, and what was averaged as `ema_state_dict`,
# with this prefix and a counter.
EMA_PREFIX = 'module.'
WRAPPER_PREFIX = 'module.'  # of DistributedDataParallel, under FlexibleRunner


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', type=Path, help='checkpoint of the Runner or phase_K_student.pth')
    parser.add_argument('dst', type=Path, help='beginning of the name, such as zoo/vit-b_k400')
    parser.add_argument(
        '--keep',
        choices=PARTS,
        required=True,
        help='backbone: the encoder; recognizer: a fine-tuned model; student: encoder and '
        'decoders, to continue with a later phase',
    )
    parser.add_argument(
        '--raw', action='store_true', help="the last step's weights instead of EMAHook's average"
    )
    parser.add_argument('--date', default=f'{date.today():%Y%m%d}', help='date in the name')
    return parser.parse_args(argv)


def choose_weights(content: Mapping, raw: bool) -> tuple[dict[str, Tensor], str]:
    """The weights of a checkpoint, and whether they are ``'averaged'`` or ``'raw'``.

    Args:
        content: the checkpoint.
        raw: use the last step's weights instead of their average.

    Raises:
        ValueError: if there are no weights, for ``raw`` without averaged weights, or if only some
            names have the prefix of a wrapper.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get('state_dict'), Mapping):
        raise ValueError(
            'it has no state_dict: only files of the Runner and phase files are published; '
            'tools/convert_checkpoint.py reads others'
        )
    if 'ema_state_dict' not in content:
        if raw:
            raise ValueError('its weights are no average (EMAHook): leave --raw out')
        return _without_wrapper(content['state_dict']), 'raw'
    if not raw:
        return _without_wrapper(content['state_dict']), 'averaged'
    state = content['ema_state_dict'].items()
    return {k.removeprefix(EMA_PREFIX): v for k, v in state if k.startswith(EMA_PREFIX)}, 'raw'


def _without_wrapper(state: Mapping) -> dict[str, Tensor]:
    """The names without DDP's prefix, which ``FlexibleRunner`` leaves in its checkpoints."""
    wrapped = [name for name in state if name.startswith(WRAPPER_PREFIX)]
    if wrapped and len(wrapped) < len(state):
        raise ValueError(
            f'{len(wrapped)} of {len(state)} weights begin with {WRAPPER_PREFIX!r}, so they come '
            'from two models: publish a checkpoint that a Runner saved'
        )
    return {name.removeprefix(WRAPPER_PREFIX): value for name, value in state.items()}


def strip(content: Mapping, keep: str, raw: bool) -> tuple[dict, dict[str, int]]:
    """The content to publish, and the number of weights left out of each other part.

    Args:
        content: the checkpoint.
        keep: a key of ``PARTS``.
        raw: see :func:`choose_weights`.

    Raises:
        ValueError: if a part to keep is missing.
    """
    weights, kind = choose_weights(content, raw)
    absent = [p for p in PARTS[keep] if not any(name.startswith(p) for name in weights)]
    if absent:
        raise ValueError(f'--keep {keep}: it has no weights {", ".join(f"{p}*" for p in absent)}')
    kept = {name: value for name, value in weights.items() if name.startswith(PARTS[keep])}
    left: dict[str, int] = {}
    for name in weights.keys() - kept.keys():
        left[name.split('.')[0]] = left.get(name.split('.')[0], 0) + 1
    meta = {key: content['meta'][key] for key in META if key in content.get('meta', {})}
    meta |= dict(published=keep, weights=kind)
    meta |= dict(pmd_mmaction_version=pmd_mmaction.__version__)
    # Copies: a view would save the storage of the whole tensor that it is part of.
    tensors = {name: value.detach().cpu().clone() for name, value in sorted(kept.items())}
    return dict(meta=meta, state_dict=tensors), left


def publish(src: Path, prefix: Path, keep: str, raw: bool, day: str) -> tuple[Path, dict, dict]:
    """Writes the published file and reads it back.

    Returns:
        Its path, its content, and what was left out.
    """
    content = load_from_local(str(src), map_location='cpu')
    result, left = strip(content, keep, raw)
    left |= dict.fromkeys(content.keys() - {'state_dict', 'ema_state_dict', 'meta'}, 1)
    buffer = io.BytesIO()
    torch.save(result, buffer)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    path = prefix.with_name(f'{prefix.name}_{day}-{digest[:8]}.pth')
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as file:
        file.write(data)
    _check(path, result)
    return path, result, left


def _check(path: Path, expected: dict) -> None:
    """Reads the file as others will."""
    found = torch.load(path, weights_only=True)
    same = found['state_dict'].keys() == expected['state_dict'].keys() and all(
        torch.equal(value, found['state_dict'][name])
        for name, value in expected['state_dict'].items()
    )
    if not same:
        path.unlink()
        raise RuntimeError(f'{path} did not hold what was written to it; it was removed')


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; returns the exit code."""
    accept_any_name()
    args = parse_args(argv)
    try:
        path, result, left = publish(args.src, args.dst, args.keep, args.raw, args.date)
    except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        print(f'publish_model: {args.src}: {error}', file=sys.stderr)
        return 1
    before, after = (file.stat().st_size / 2**20 for file in (args.src, path))
    print(
        f'{len(result["state_dict"])} {result["meta"]["weights"]} weights ({args.keep}) -> {path}'
    )
    print(f'{before:.1f} MiB -> {after:.1f} MiB')
    print(f'left out: {", ".join(sorted(left)) or "nothing"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
