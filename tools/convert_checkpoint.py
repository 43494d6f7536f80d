"""Converts checkpoints between code bases: nothing is renamed, added or dropped silently."""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import pickle
import sys
import tempfile

import torch
from safetensors import SafetensorError
from torch import Tensor

import pmd_mmaction
from pmd_mmaction.arguments import Whole, require
from pmd_mmaction.convert import (
    SOURCES,
    TARGETS,
    TOLERANCE,
    ClipSize,
    Conversion,
    Options,
    Result,
    check_verifiable,
    clip_size_of,
    convert,
    largest_difference,
    write_folder,
)
from pmd_mmaction.convert.huggingface_folder import read_folder_config
from pmd_mmaction.functional.positions import POSITIONS
from pmd_mmaction.models.teachers.weights import read_state_dict
from pmd_mmaction.storage.atomic_file import atomic_writer
from pmd_mmaction.storage.atomic_folder import atomic_folder
from pmd_mmaction.storage.digest import sha256_of

WEIGHT_FILES = ('model.safetensors', 'pytorch_model.bin')
ERRORS = (OSError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    formats = [f'From {name}: {text}.' for name, text in SOURCES.items()]
    formats += [f'To {name}: {text}.' for name, text in TARGETS.items()]
    parser = argparse.ArgumentParser(description=' '.join([__doc__, *formats]))
    parser.add_argument('src', type=Path, help='.pth, .safetensors or Hugging Face folder')
    parser.add_argument('dst', type=Path, help='file to write, or folder for huggingface')
    parser.add_argument('--from', dest='source', required=True, choices=list(SOURCES))
    parser.add_argument('--to', dest='target', required=True, choices=list(TARGETS))
    parser.add_argument('--frames', type=int, help='frames per clip of the result')
    parser.add_argument('--size', type=int, help='side in pixels of the clips of the result')
    parser.add_argument(
        '--source-frames', type=int, help='frames per clip of the source (16, or its config.json)'
    )
    parser.add_argument(
        '--source-size', type=int, help='side in pixels of its clips (224, or its config.json)'
    )
    parser.add_argument(
        '--position', choices=POSITIONS, help='positions of a source whose file has none'
    )
    parser.add_argument('--num-heads', type=int, help='attention heads, for unusual widths')
    parser.add_argument('--labels', type=Path, help='names of the classes, one per line')
    parser.add_argument(
        '--custom-code',
        action='store_true',
        help='allow a Python file in the Hugging Face folder, for positions it does not know',
    )
    parser.add_argument(
        '--verify', action='store_true', help='run source and result on one input and compare'
    )
    return parser.parse_args(argv)


def read_source(src: Path) -> tuple[dict[str, Tensor], Path, dict | None]:
    """Weights, the file they are in, and the ``config.json`` beside them.

    Raises:
        ValueError: if a folder has no weights that can be read.
    """
    if not src.is_dir():
        config = src.with_name('config.json') if src.name in WEIGHT_FILES else None
    else:
        config = src / 'config.json'
        found = [src / name for name in WEIGHT_FILES if (src / name).is_file()]
        if not found:
            raise ValueError(f'there is none of {WEIGHT_FILES} in this folder')
        src = found[0]
    known = read_folder_config(config) if config and config.is_file() else None
    return read_state_dict(str(src)), src, known


def read_options(args: argparse.Namespace, config: dict | None) -> Options:
    """What the command line and ``config.json`` say about the weights."""
    known = None
    if args.source == 'huggingface' and args.target != 'timm' and config:
        known = clip_size_of(config)  # an image teacher has no clips
    source = _clip(args.source_frames, args.source_size, known)
    heads = args.num_heads
    if heads is None:
        heads = (config or {}).get('num_attention_heads')
    if heads is not None:
        require('convert_checkpoint', Whole, num_heads=heads)
    labels = None
    if args.labels is not None:
        labels = args.labels.read_text(encoding='utf-8').splitlines()
    return Options(
        clip=_clip(args.frames, args.size, source),
        source_clip=source,
        position=args.position,
        num_heads=heads,
        labels=labels,
        custom_code=args.custom_code,
    )


def _clip(frames: int | None, size: int | None, default: ClipSize | None) -> ClipSize | None:
    if frames is None and size is None:
        return default
    default = default or ClipSize()
    return ClipSize(
        default.num_frames if frames is None else frames,
        default.img_size if size is None else size,
    )


def run(args: argparse.Namespace) -> tuple[Conversion, dict[str, float] | None]:
    """Converts, verifies if asked, and writes; nothing is written if any of it fails."""
    state, file, config = read_source(args.src)
    options = read_options(args, config)
    if args.verify:
        check_verifiable(args.source, options)
    result = convert(state, args.source, args.target, options)
    meta = dict(
        source=file.name,
        source_sha256=sha256_of(file),
        converted_from=args.source,
        converted_to=args.target,
        pmd_mmaction_version=pmd_mmaction.__version__,
        notes=list(result.conversion.notes),
        dropped=result.conversion.dropped,
    )
    if result.folder is None:
        if args.dst.is_dir():
            raise ValueError(f'{args.dst} is a folder: name the file to write')
        if args.dst.exists():
            raise ValueError(f'{args.dst} exists: remove it or choose another name')
        differences = _verified(args, state, result, options, None)
        args.dst.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(args.dst) as stream:
            torch.save(dict(state_dict=result.conversion.state_dict, meta=meta), stream)
        return result.conversion, differences
    if args.dst.exists():
        raise ValueError(f'{args.dst} exists: remove it or choose another folder')
    differences = None
    if args.verify:
        with tempfile.TemporaryDirectory() as trial:
            write_folder(result.folder, Path(trial), meta)
            differences = _verified(args, state, result, options, Path(trial))
    with atomic_folder(args.dst) as new:
        write_folder(result.folder, new, meta)
    return result.conversion, differences


def _verified(
    args: argparse.Namespace,
    state: dict[str, Tensor],
    result: Result,
    options: Options,
    folder: Path | None,
) -> dict[str, float] | None:
    if not args.verify:
        return None
    try:
        differences = largest_difference(
            state, args.source, args.target, result, options, args.src, folder
        )
    except ImportError as error:
        raise ValueError(
            f'--verify needs {error.name}, which is not installed. Install it or leave --verify out'
        ) from error
    if not max(differences.values()) <= TOLERANCE:
        raise ValueError(
            f'source and result differ by {differences}, which is more than {TOLERANCE}; '
            'nothing was written'
        )
    return differences


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; returns the exit code."""
    args = parse_args(argv)
    try:
        conversion, differences = run(args)
    except ERRORS as error:
        print(f'convert_checkpoint: {args.src}: {error}', file=sys.stderr)
        return 1
    print(
        f'{len(conversion.renamed)} keys converted, {len(conversion.dropped)} dropped -> {args.dst}'
    )
    for note in conversion.notes:
        print(f'  {note}')
    for reason in sorted(set(conversion.dropped.values())):
        keys = [key for key, text in conversion.dropped.items() if text == reason]
        more = ' ...' if len(keys) > 3 else ''
        print(f'  dropped {len(keys)} ({reason}): {", ".join(keys[:3])}{more}')
    for name, value in (differences or {}).items():
        print(f'  largest difference of {name} between source and result: {value:.2e}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
