"""Writes the features of videos to one .npz or .safetensors file; can be interrupted."""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import hashlib
import json
import pickle
import shutil
import sys
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from safetensors.numpy import load_file, save, save_file
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.compat.terminal import accept_any_name
from pmd_mmaction.datasets import ReadableClips, find_videos, read_path_list
from pmd_mmaction.evaluation import choose_pipeline, compute_features, load_frozen
from pmd_mmaction.storage.atomic_file import atomic_writer

SUFFIXES = ('.npz', '.safetensors')
ERRORS = (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError)


class ExtractionError(Exception):
    """Tells what is wrong and the remedy."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='of a pre-training model or a recognizer')
    parser.add_argument('checkpoint', help='its weights')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--videos', nargs='+', metavar='PATH', help='videos, or folders')
    source.add_argument('--list', type=Path, help='list file, with or without labels')
    parser.add_argument('--prefix', default='', help='folder of the paths in the list')
    parser.add_argument(
        '--allow-outside', action='store_true', help='accept paths that leave --prefix'
    )
    parser.add_argument('--out', type=Path, required=True, help='.npz or .safetensors file')
    parser.add_argument(
        '--per-patch', action='store_true', help='(clips, N, D) tokens instead of their mean (D,)'
    )
    parser.add_argument(
        '--layer', type=int, help='tokens after this layer, from 1; default: after the last norm'
    )
    parser.add_argument('--batch-size', type=int, default=8, help='videos at a time (%(default)s)')
    parser.add_argument('--num-workers', type=int, default=2, help='decoders (%(default)s)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--skip-broken', action='store_true', help='leave out videos that cannot be read'
    )
    return parser.parse_args(argv)


# ---------------------------------------------------------------------- features


def extract(
    model: nn.Module, videos: ReadableClips, args: argparse.Namespace, start: int
) -> Iterator:
    """Yields for every batch from video ``start``: its end, good indices, features, broken ones."""
    rest = torch.utils.data.Subset(videos, range(start, len(videos)))
    loader = DataLoader(
        rest, args.batch_size, num_workers=args.num_workers, collate_fn=lambda batch: batch
    )
    for number, batch in enumerate(loader):
        first = start + number * args.batch_size
        good = {first + i: item for i, item in enumerate(batch) if not isinstance(item, str)}
        broken = {first + i: item for i, item in enumerate(batch) if isinstance(item, str)}
        features = np.zeros((0,), np.float32)
        if good:
            data = model.data_preprocessor(pseudo_collate(list(good.values())), training=False)
            result = compute_features(model, data['inputs'], args.per_patch, args.layer)
            features = result.cpu().numpy()
        yield first + len(batch), list(good), features, broken


# ---------------------------------------------------------------------- files


class Parts:
    """The finished part of an extraction, in a folder beside the output.

    Args:
        out: the output.
        settings: what the features depend on; finished batches of others are refused.

    Raises:
        ExtractionError: if the folder holds batches of another extraction.
    """

    def __init__(self, out: Path, settings: dict) -> None:
        self.folder = out.with_name(out.name + '.parts')
        self.note = self.folder / 'settings.json'
        self.text = json.dumps(settings, indent=2, sort_keys=True)
        if self.done() and self.note.read_text(encoding='utf-8') != self.text:
            raise ExtractionError(
                f'{self.folder} is of another config, checkpoint, list or option: finish that one '
                'with its own command, remove the folder, or choose another --out'
            )

    def done(self) -> list[dict]:
        """Notes on the finished batches, in order."""
        notes = sorted(self.folder.glob('part_*.json'))
        return [json.loads(note.read_text(encoding='utf-8')) for note in notes]

    def add(self, end: int, index: list[int], features: np.ndarray, broken: dict) -> None:
        """Writes a batch; its note comes last and makes it count."""
        if not self.done():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_writer(self.note) as file:
                file.write(self.text.encode())
        name = f'part_{end:09d}'
        save_file(dict(features=features), self.folder / f'{name}.safetensors')
        note = dict(end=end, index=index, broken=broken, file=f'{name}.safetensors')
        with atomic_writer(self.folder / f'{name}.json') as file:
            file.write(json.dumps(note).encode())

    def merge(self) -> tuple[list[int], np.ndarray]:
        """Indices and features of all videos that could be read."""
        notes = [note for note in self.done() if note['index']]
        parts = [load_file(self.folder / note['file'])['features'] for note in notes]
        index = [i for note in notes for i in note['index']]
        return index, np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def write_output(out: Path, features: np.ndarray, names: list[str], labels: list[int]) -> None:
    """Writes ``features``, ``labels`` (-1 where unknown) and the names of the videos."""
    with atomic_writer(out) as file:
        if out.suffix == '.npz':
            np.savez(file, features=features, labels=np.array(labels), names=np.array(names))
        else:
            tensors = dict(features=features, labels=np.array(labels))
            file.write(save(tensors, metadata=dict(names=json.dumps(names))))


def read_videos(args: argparse.Namespace) -> list[tuple[str, int | None]]:
    """Names and labels of the videos."""
    if args.videos:
        found = ([*find_videos(name)] if Path(name).is_dir() else [name] for name in args.videos)
        return [(str(path), None) for paths in found for path in paths]
    return read_path_list(args.list, args.prefix, args.allow_outside)


def describe(args: argparse.Namespace, cfg: Config, names: list[str]) -> dict:
    """What the features depend on."""

    def digest(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    return dict(
        model=digest(repr(cfg.model).encode()),
        pipeline=digest(repr(choose_pipeline(cfg)).encode()),
        checkpoint=digest(Path(args.checkpoint).read_bytes()),
        videos=digest(json.dumps([args.prefix, names]).encode()),
        per_patch=args.per_patch,
        layer=args.layer,
        batch_size=args.batch_size,
    )


def run(args: argparse.Namespace) -> int:
    """Extracts and writes; returns the number of broken videos.

    Raises:
        ExtractionError: for options that make no sense, or a video that cannot be read.
    """
    if args.out.suffix not in SUFFIXES:
        raise ExtractionError(f'--out {args.out}: the name must end in one of {SUFFIXES}')
    cfg = Config.fromfile(args.config)
    if 'backbone' not in cfg.get('model', {}):
        raise ExtractionError(f'{args.config} describes no model with a backbone')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    # MMEngine would print how every weight was initialised.
    if not MMLogger.check_instance_created('extract_features'):
        MMLogger.get_instance('extract_features', log_level='ERROR')
    depth = cfg.model.backbone.get('depth', 12)
    if args.layer is not None and not 1 <= args.layer <= depth:
        raise ExtractionError(f'--layer {args.layer}: the backbone has layers 1 to {depth}')
    entries = read_videos(args)
    names = [name for name, _ in entries]
    parts = Parts(args.out, describe(args, cfg, names))
    done = parts.done()
    start = done[-1]['end'] if done else 0
    if start < len(names):
        model = load_frozen(cfg, args.checkpoint, args.device)
        paths = [str(Path(args.prefix, name)) for name in names]
        videos = ReadableClips(paths, choose_pipeline(cfg))
        with tqdm(total=len(names), initial=start, unit='video', disable=None) as bar:
            for end, index, features, broken in extract(model, videos, args, start):
                for i, reason in broken.items():
                    if not args.skip_broken:
                        raise ExtractionError(
                            f'{names[i]} cannot be read ({reason}); --skip-broken leaves such '
                            'videos out. The same command goes on from here'
                        )
                    tqdm.write(f'left out: {names[i]} ({reason})', file=sys.stderr)
                parts.add(end, index, features, broken)
                bar.update(end - bar.n)
    index, features = parts.merge()
    labels = [-1 if entries[i][1] is None else entries[i][1] for i in index]
    write_output(args.out, features, [names[i] for i in index], labels)
    shutil.rmtree(parts.folder)
    print(f'{len(index)} videos, features {features.shape} -> {args.out}')
    return len(names) - len(index)


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; 0 if every video was read, 1 for an error, 3 if some were left out."""
    accept_any_name()
    args = parse_args(argv)
    try:
        broken = run(args)
    except (ExtractionError, *ERRORS) as error:
        print(f'extract_features: {error}', file=sys.stderr)
        return 1
    if broken:
        print(f'{broken} video(s) left out', file=sys.stderr)
    return 3 if broken else 0


if __name__ == '__main__':
    sys.exit(main())
