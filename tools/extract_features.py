"""Writes the features of videos; if interrupted, the same command continues.

One feature per video, all in one .npz or .safetensors file; or with --window one per window, in a
.safetensors file per video, which several processes may share (torchrun --nproc_per_node ...).
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import hashlib
import json
import os
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
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.datasets import ReadableClips, VideoWindows, Windows, find_videos, read_path_list
from pmd_mmaction.datasets.path_list import join_path
from pmd_mmaction.evaluation import choose_pipeline, compute_features, load_frozen
from pmd_mmaction.evaluation.feature_files import (
    ExtractionError,
    Parts,
    windows_are_finished,
    write_features,
    write_windows,
)
from pmd_mmaction.shipped import read_config
from pmd_mmaction.storage.digest import sha256_of

SUFFIXES = ('.npz', '.safetensors')
RANKS = dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0')  # set by torchrun
ERRORS = (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='of a pre-training model or a recognizer')
    parser.add_argument('checkpoint', help='its weights')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--videos', nargs='+', metavar='PATH', help='videos, or folders')
    source.add_argument('--list', type=Path, help='list file, with or without labels')
    parser.add_argument('--prefix', default='', help='folder of the paths in the list')
    parser.add_argument(
        '--allow-outside', action='store_true', help='accept paths that leave --prefix'
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='.npz or .safetensors file; a folder for windows'
    )
    parser.add_argument(
        '--window', type=int, metavar='FRAMES', help='features of windows of this many frames'
    )
    parser.add_argument(
        '--stride', type=int, help='frames from one window to the next (half a window)'
    )
    parser.add_argument(
        '--interval', type=int, help='frames from one frame of a window to the next (of the config)'
    )
    parser.add_argument(
        '--per-patch', action='store_true', help='(clips, N, D) tokens instead of their mean (D,)'
    )
    parser.add_argument(
        '--layer', type=int, help='tokens after this layer, from 1; default: after the last norm'
    )
    parser.add_argument(
        '--batch-size', type=int, default=8, help='videos, or windows, at a time (%(default)s)'
    )
    parser.add_argument('--num-workers', type=int, default=2, help='decoders (%(default)s)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--skip-broken', action='store_true', help='leave out videos that cannot be read'
    )
    args = parser.parse_args(argv)
    if args.window is None and (args.stride is not None or args.interval is not None):
        parser.error('--stride and --interval are of windows: give --window')
    for name in ('window', 'stride', 'interval', 'batch_size'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} is {value}; it must be at least 1')
    return args


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


def read_videos(args: argparse.Namespace) -> list[tuple[str, int | None]]:
    """Names and labels of the videos.

    Raises:
        ExtractionError: if a path on the command line does not exist.
    """
    if args.videos:
        for name in args.videos:
            if not Path(name).exists():
                raise ExtractionError(f'there is no video or folder {name}: check the path')
        found = ([*find_videos(name)] if Path(name).is_dir() else [name] for name in args.videos)
        return [(str(path), None) for paths in found for path in paths]
    return read_path_list(args.list, args.prefix, args.allow_outside)


def describe(args: argparse.Namespace, cfg: Config) -> dict:
    """Settings that the features depend on, besides the videos."""
    return dict(
        model=digest(repr(cfg.model).encode()),
        pipeline=digest(repr(choose_pipeline(cfg)).encode()),
        checkpoint=sha256_of(Path(args.checkpoint)),
        per_patch=args.per_patch,
        layer=args.layer,
    )


def digest(data: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def leave_out(name: str, reason: str, args: argparse.Namespace) -> None:
    """Reports a video that cannot be read.

    Raises:
        ExtractionError: if broken videos may not be left out.
    """
    if not args.skip_broken:
        raise ExtractionError(
            f'{name} cannot be read ({reason}); --skip-broken leaves such videos out. The same '
            'command continues from here'
        )
    tqdm.write(f'left out: {name} ({reason})', file=sys.stderr)


def run(args: argparse.Namespace) -> int:
    """Extracts and writes; returns the number of broken videos.

    Raises:
        ExtractionError: for options that make no sense, or a video that cannot be read.
    """
    if args.window is None and int(os.environ.get('WORLD_SIZE', '1')) > 1:
        raise ExtractionError(
            'several processes would write the same file: only --window can share the work, so run '
            'one process'
        )
    if args.window is None and args.out.suffix not in SUFFIXES:
        raise ExtractionError(f'--out {args.out}: the name must end in one of {SUFFIXES}')
    cfg = read_config(args.config)
    if not Path(args.checkpoint).is_file():
        raise ExtractionError(f'there is no checkpoint {args.checkpoint}: check the path')
    if 'backbone' not in cfg.get('model', {}):
        raise ExtractionError(f'{args.config} describes no model with a backbone')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    # MMEngine would print how every weight was initialised.
    if not MMLogger.check_instance_created('extract_features'):
        MMLogger.get_instance('extract_features', log_level='ERROR')
    depth = cfg.model.backbone.get('depth', 12)
    if args.layer is not None and not 1 <= args.layer <= depth:
        raise ExtractionError(f'--layer {args.layer}: the backbone has layers 1 to {depth}')
    return run_videos(args, cfg) if args.window is None else run_windows(args, cfg)


# ---------------------------------------------------------------------- one feature per video


def run_videos(args: argparse.Namespace, cfg: Config) -> int:
    """Writes the features of all videos to one file; returns the number of broken ones."""
    entries = read_videos(args)
    names = [name for name, _ in entries]
    videos = digest(json.dumps([args.prefix, names]).encode())
    parts = Parts(args.out, dict(describe(args, cfg), videos=videos, batch_size=args.batch_size))
    done = parts.done()
    start = done[-1]['end'] if done else 0
    if start < len(names):
        model = load_frozen(cfg, args.checkpoint, args.device)
        paths = [join_path(args.prefix, name) for name in names]
        videos = ReadableClips(paths, choose_pipeline(cfg))
        with tqdm(total=len(names), initial=start, unit='video', disable=None) as bar:
            for end, index, features, broken in extract(model, videos, args, start):
                for i, reason in broken.items():
                    leave_out(names[i], reason, args)
                parts.add(end, index, features)
                bar.update(end - bar.n)
    index, features = parts.merge()
    if not index:
        shutil.rmtree(parts.folder)
        raise ExtractionError(f'none of {len(names)} videos can be read: {args.out} is not written')
    labels = [-1 if entries[i][1] is None else entries[i][1] for i in index]
    write_features(args.out, features, [names[i] for i in index], labels)
    shutil.rmtree(parts.folder)
    print(f'{len(index)} videos, features {features.shape} -> {args.out}')
    return len(names) - len(index)


# ---------------------------------------------------------------------- one feature per window


def files_of_windows(args: argparse.Namespace, names: list[str]) -> list[Path]:
    """Output file of each video's windows, in the folder structure of the source.

    Raises:
        ExtractionError: if two videos would share a file.
    """
    roots = [Path(args.prefix), *(Path(name) for name in args.videos or () if Path(name).is_dir())]
    files: dict[Path, str] = {}
    for name in names:
        root = next((r for r in roots if r.parts and Path(name).is_relative_to(r)), None)
        inside = Path(name).relative_to(root) if root else Path(name)
        if inside.is_absolute() or '..' in inside.parts:
            inside = Path(inside.name)  # nothing is written outside --out
        out = args.out / f'{inside}.safetensors'
        if out in files:
            raise ExtractionError(f'{name} and {files[out]} would both be written to {out}')
        files[out] = name
    return list(files)


def run_windows(args: argparse.Namespace, cfg: Config) -> int:
    """Writes the windows of each video to its own file; returns the number of broken ones."""
    frames = cfg.model.backbone.get('num_frames', 16)
    if args.window != frames:
        raise ExtractionError(f'--window {args.window}: the backbone takes {frames} frames')
    rank, ranks, gpu = (int(os.environ.get(k, d)) for k, d in RANKS.items())
    device = f'cuda:{gpu}' if args.device == 'cuda' else args.device
    names = [name for name, _ in read_videos(args)]
    stride = args.stride or max(1, args.window // 2)
    settings = dict(describe(args, cfg), stride=stride, interval=args.interval)
    todo = [
        (name, out)
        for name, out in [*zip(names, files_of_windows(args, names), strict=True)][rank::ranks]
        if not windows_are_finished(out, settings | size_of(args, name))
    ]
    model = load_frozen(cfg, args.checkpoint, device) if todo else None
    paths = [join_path(args.prefix, name) for name, _ in todo]
    videos = VideoWindows(
        paths, choose_pipeline(cfg), stride, args.batch_size, args.window, args.interval
    )
    begun: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    written = 0
    loader = DataLoader(videos, batch_size=None, num_workers=min(args.num_workers, len(todo)))
    with tqdm(total=len(todo), unit='video', disable=None) as bar:
        for windows in loader if todo else ():
            name, out = todo[windows.video]
            parts = begun.setdefault(windows.video, [])
            if windows.error is not None:
                leave_out(name, windows.error, args)
                parts.clear()
            else:
                parts.append((features_of(model, windows, args), windows.times))
            if windows.last:
                bar.update()
                if begun.pop(windows.video):
                    features, times = (np.concatenate(p) for p in zip(*parts, strict=True))
                    write_windows(out, features, times, settings | size_of(args, name))
                    written += 1
    print(f'{written} videos written, {len(names[rank::ranks]) - len(todo)} there -> {args.out}')
    return len(todo) - written


def size_of(args: argparse.Namespace, name: str) -> dict[str, int]:
    """What tells a video from another one of its name, in another folder; empty for an address."""
    path = Path(join_path(args.prefix, name))
    return {'bytes': path.stat().st_size} if path.is_file() else {}


def features_of(model: nn.Module, windows: Windows, args: argparse.Namespace) -> np.ndarray:
    """``(W, D)`` features of windows, or ``(W, N, D)`` tokens: the mean over crops."""
    data = model.data_preprocessor(dict(inputs=[windows.clips], data_samples=[]), training=False)
    clips = data['inputs'].flatten(0, 1)[:, None]
    features = compute_features(model, clips, args.per_patch, args.layer)
    features = features.unflatten(0, (-1, len(windows.times))).mean(0)
    return (features[:, 0] if args.per_patch else features).cpu().numpy()


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; 0 if every video was read, 1 for an error, 3 if some were left out.

    Of several processes one that left out videos ends with 0: torchrun would end the others.
    """
    args = parse_args(argv)
    try:
        broken = run(args)
    except (ExtractionError, *ERRORS) as error:
        print(f'extract_features: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('extract_features: interrupted; the same command continues', file=sys.stderr)
        return 130
    if broken:
        print(f'{broken} video(s) left out', file=sys.stderr)
    return 3 if broken and int(os.environ.get('WORLD_SIZE', '1')) == 1 else 0


if __name__ == '__main__':
    sys.exit(main())
