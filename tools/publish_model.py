"""Reduces a checkpoint to the weights to publish and adds its digest to the file name.

With ``--to huggingface`` it writes a folder for ``from_pretrained`` with a model card instead, to
be looked at and uploaded by hand.
"""

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
from inspect import signature

import torch
from torch import Tensor

import pmd_mmaction
from pmd_mmaction.compat.checkpoint import load_from_local
from pmd_mmaction.convert import (
    ClipSize,
    EncoderSize,
    HuggingFaceFolder,
    Options,
    convert,
    find_entry,
    model_card,
    write_folder,
)
from pmd_mmaction.models import MaskedVisionTransformer
from pmd_mmaction.shipped import read_config
from pmd_mmaction.storage.atomic_file import write_file
from pmd_mmaction.storage.atomic_folder import atomic_folder

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
    parser.add_argument(
        'dst', type=Path, help='beginning of the name, such as zoo/vit-b_k400; a folder'
    )
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
    hub = parser.add_argument_group('Hugging Face')
    hub.add_argument('--to', choices=['mmaction', 'huggingface'], default='mmaction')
    hub.add_argument('--config', type=Path, help='config of the run; its metafile fills the card')
    hub.add_argument('--license', help='of the weights, as the Hub writes it: cc-by-nc-4.0')
    hub.add_argument('--labels', type=Path, help='names of the classes, one per line')
    hub.add_argument(
        '--custom-code',
        action='store_true',
        help='allow a Python file beside the weights, for positions that VideoMAE does not know',
    )
    args = parser.parse_args(argv)
    if args.to == 'huggingface':
        if args.config is None or args.license is None:
            parser.error('--to huggingface needs --config and --license')
        if args.keep == 'student':
            parser.error('--to huggingface has no place for decoders: --keep backbone')
    elif args.config or args.license or args.labels or args.custom_code:
        parser.error('--config, --license, --labels and --custom-code belong to --to huggingface')
    return args


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
            raise ValueError('its weights are not an average (EMAHook): leave --raw out')
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


def keep_part(weights: Mapping[str, Tensor], keep: str) -> dict[str, Tensor]:
    """The weights of a key of ``PARTS``.

    Raises:
        ValueError: if a part of them is missing.
    """
    absent = [p for p in PARTS[keep] if not any(name.startswith(p) for name in weights)]
    if absent:
        raise ValueError(f'--keep {keep}: it has no weights {", ".join(f"{p}*" for p in absent)}')
    return {name: value for name, value in weights.items() if name.startswith(PARTS[keep])}


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
    kept = keep_part(weights, keep)
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
    write_file(path, data)
    _check(path, result)
    return path, result, left


def publish_folder(args: argparse.Namespace) -> HuggingFaceFolder:
    """Writes weights, ``config.json`` and model card for the Hub; returns what the folder holds."""
    weights, kind = choose_weights(load_from_local(str(args.src), map_location='cpu'), args.raw)
    state = keep_part(weights, args.keep)
    model = read_config(args.config).get('model') or {}
    if 'backbone' not in model:
        raise ValueError(f'{args.config} has no model with a backbone: name the config of the run')
    backbone = model.backbone
    found, defaults = EncoderSize.of(state), signature(MaskedVisionTransformer).parameters
    for key in ('embed_dims', 'depth', 'patch_size', 'tubelet_size'):
        said, stored = backbone.get(key, defaults[key].default), getattr(found, key)
        if said != stored:
            raise ValueError(
                f'{args.src} has {key}={stored}, {args.config} {said}: name the config of the run'
            )
    size = backbone.get('img_size', 224)
    sides = {size} if isinstance(size, int) else {*size}
    if len(sides) > 1:
        raise ValueError(f'img_size is {size}: VideoMAE of Hugging Face takes square clips')
    clip = ClipSize(backbone.get('num_frames', 16), *sides)
    labels = args.labels and args.labels.read_text(encoding='utf-8').splitlines()
    options = Options(
        source_clip=clip,
        position=backbone.get('position'),
        num_heads=backbone.get('num_heads'),
        labels=labels,
        custom_code=args.custom_code,
    )
    folder = convert(state, 'mmaction', 'huggingface', options).folder
    colours = model.get('data_preprocessor') or {}
    for key in ('mean', 'std'):
        if colours.get(key):
            folder.preprocessor[f'image_{key}'] = [value / 255 for value in colours[key]]
    entry, collection = find_entry(args.config)
    code = folder.code is not None
    card = model_card(args.dst.name, entry, collection, args.license, folder.config, code)
    meta = dict(weights=kind, pmd_mmaction_version=pmd_mmaction.__version__)
    with atomic_folder(args.dst) as new:
        write_folder(folder, new, meta)
        (new / 'README.md').write_text(card, encoding='utf-8')
    return folder


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
    args = parse_args(argv)
    try:
        if args.to == 'huggingface':
            folder = publish_folder(args)
            code = ', and Python code that keeps their positions' if folder.code else ''
            print(f'{len(folder.state_dict)} weights and their card{code} -> {args.dst}')
            print(f'look at {args.dst / "README.md"}, then: hf upload USER/NAME {args.dst}')
            return 0
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
