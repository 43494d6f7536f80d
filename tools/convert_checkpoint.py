"""Converts checkpoints between code bases: nothing is renamed or dropped silently."""

import argparse
import hashlib
import sys
from pathlib import Path

import torch

import pmd_mmaction
from pmd_mmaction.convert import mmaction_to_timm, videomae_to_mmaction
from pmd_mmaction.dare.atomic_file import atomic_writer
from pmd_mmaction.models.teachers.weights import read_state_dict

CONVERSIONS = {
    ('videomae', 'mmaction'): videomae_to_mmaction,
    ('mmaction', 'timm'): mmaction_to_timm,
}


def parse_args() -> argparse.Namespace:
    pairs = '; '.join(f'{source} -> {target}' for source, target in CONVERSIONS)
    parser = argparse.ArgumentParser(description=f'{__doc__} Conversions: {pairs}.')
    parser.add_argument('src', help='checkpoint to read (.pth or .safetensors)')
    parser.add_argument('dst', help='file to write (.pth)')
    parser.add_argument(
        '--from',
        dest='source',
        required=True,
        choices=sorted({source for source, _ in CONVERSIONS}),
    )
    parser.add_argument(
        '--to', dest='target', required=True, choices=sorted({target for _, target in CONVERSIONS})
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    convert = CONVERSIONS.get((args.source, args.target))
    try:
        if convert is None:
            raise ValueError(f'no conversion from {args.source} to {args.target}')
        conversion = convert(read_state_dict(args.src))
        meta = dict(
            source=Path(args.src).name,
            converted_from=args.source,
            source_sha256=hashlib.sha256(Path(args.src).read_bytes()).hexdigest(),
            pmd_mmaction_version=pmd_mmaction.__version__,
        )
        Path(args.dst).parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(args.dst) as file:
            torch.save(dict(state_dict=conversion.state_dict, meta=meta), file)
    except (OSError, ValueError, RuntimeError) as error:
        print(f'convert_checkpoint: {args.src}: {error}', file=sys.stderr)
        return 1
    print(
        f'{len(conversion.renamed)} keys converted, {len(conversion.dropped)} dropped -> {args.dst}'
    )
    for reason in sorted(set(conversion.dropped.values())):
        keys = [key for key, text in conversion.dropped.items() if text == reason]
        print(
            f'  dropped {len(keys)} ({reason}): {", ".join(keys[:3])}'
            f'{" ..." if len(keys) > 3 else ""}'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
