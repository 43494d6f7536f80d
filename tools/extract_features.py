"""Writes the features of videos to one .npz or .safetensors file; can be interrupted."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.dare.atomic_file import atomic_writer
from pmd_mmaction.datasets import read_path_list

SUFFIXES = ('.npz', '.safetensors')


class ExtractionError(Exception):
    """Tells what is wrong and the remedy."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='of a pre-training model or a recognizer')
    parser.add_argument('checkpoint', help='its weights')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--videos', nargs='+', metavar='FILE', help='videos')
    source.add_argument('--list', type=Path, help='list file, with or without labels')
    parser.add_argument('--prefix', default='', help='folder of the paths in the list')
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


# ---------------------------------------------------------------------- videos


class Videos(Dataset):
    """Clips of videos; one that cannot be read gives the reason instead.

    Args:
        paths: the videos.
        pipeline: from a path to ``inputs`` and ``data_samples``.
    """

    def __init__(self, paths: list[str], pipeline: list[dict]) -> None:
        self.paths = paths
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict | str:
        info = dict(filename=self.paths[index], label=-1, start_index=0, modality='RGB')
        try:
            return self.pipeline(info)
        except Exception as error:  # whatever a decoder raises
            return f'{type(error).__name__}: {error}'.splitlines()[0]


def choose_pipeline(cfg: Config) -> list[dict]:
    """The test pipeline of the config, or a plain one: the middle of the frames and pixels."""
    for kind in ('test', 'val'):
        dataset = (cfg.get(f'{kind}_dataloader') or {}).get('dataset', {})
        if 'pipeline' in dataset:
            return dataset.pipeline
    backbone = cfg.model.backbone
    steps = cfg.train_dataloader.dataset.pipeline
    intervals = [step.frame_interval for step in steps if step.type == 'SampleFrames']
    return [
        dict(type='DecordInit'),
        dict(
            type='SampleFrames',
            clip_len=backbone.num_frames,
            frame_interval=intervals[0] if intervals else 4,
            num_clips=1,
            test_mode=True,
        ),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, backbone.img_size)),
        dict(type='CenterCrop', crop_size=backbone.img_size),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]


# ---------------------------------------------------------------------- features


def build_model(cfg: Config, checkpoint: str, device: str) -> nn.Module:
    """The model with its weights, in eval mode.

    Raises:
        ExtractionError: if the backbone is not filled.
    """
    for part in ('image_teacher', 'video_teacher'):  # of no use here, and perhaps not at hand
        if cfg.model.get(part) is not None:
            cfg.model[part].checkpoint = None
    model = MODELS.build(cfg.model)
    content = load_checkpoint(model, checkpoint, map_location='cpu', logger='silent')
    found = content.get('state_dict', content)
    missing = [
        key
        for key in model.state_dict()
        if key.startswith('backbone.') and key not in found and 'fc_norm' not in key
    ]
    if missing:
        raise ExtractionError(
            f'{checkpoint} does not fill the backbone of the config: missing {missing[:5]}'
        )
    return model.eval().to(device)


@torch.no_grad()
def compute(model: nn.Module, inputs: Tensor, per_patch: bool, layer: int | None) -> Tensor:
    """Features of a batch.

    Args:
        model: a pre-training model or a recognizer.
        inputs: ``(B, clips, C, T, H, W)`` normalised clips.
        per_patch: tokens instead of their mean.
        layer: layer from 1; None means after the last norm.

    Returns:
        ``(B, D)`` means over clips and tokens, or ``(B, clips, N, D)`` tokens; float32.
    """
    batch = inputs.shape[:2]
    if layer is None and not per_patch:
        feature = model.extract_feat(inputs, test_mode=True)[0]
        return feature.float().view(batch[0], -1, feature.shape[-1]).mean(1)
    wanted = () if layer is None else (layer - 1,)
    encoded = model.backbone.encode(inputs.flatten(0, 1), layers=wanted)
    tokens = (encoded.layers[0] if wanted else encoded.tokens).float().unflatten(0, batch)
    return tokens if per_patch else tokens.mean((1, 2))


def extract(model: nn.Module, videos: Videos, args: argparse.Namespace, start: int) -> Iterator:
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
            result = compute(model, data['inputs'], args.per_patch, args.layer)
            features = result.cpu().numpy()
        yield first + len(batch), list(good), features, broken


# ---------------------------------------------------------------------- files


class Parts:
    """The finished part of an extraction, in a folder beside the output.

    Args:
        out: the output.
        settings: what the features depend on; a folder of other settings is refused.

    Raises:
        ExtractionError: if the folder belongs to another extraction.
    """

    def __init__(self, out: Path, settings: dict) -> None:
        self.folder = out.with_name(out.name + '.parts')
        note = self.folder / 'settings.json'
        text = json.dumps(settings, indent=2, sort_keys=True)
        if note.is_file() and note.read_text(encoding='utf-8') != text:
            raise ExtractionError(
                f'{self.folder} is of another config, checkpoint, list or option: finish that one '
                'with its own command, remove the folder, or choose another --out'
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_writer(note) as file:
            file.write(text.encode())

    def done(self) -> list[dict]:
        """Notes on the finished batches, in order."""
        notes = sorted(self.folder.glob('part_*.json'))
        return [json.loads(note.read_text(encoding='utf-8')) for note in notes]

    def add(self, end: int, index: list[int], features: np.ndarray, broken: dict) -> None:
        """Writes a batch; its note comes last and makes it count."""
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
            from safetensors.numpy import save

            tensors = dict(features=features, labels=np.array(labels))
            file.write(save(tensors, metadata=dict(names=json.dumps(names))))


def read_videos(args: argparse.Namespace) -> list[tuple[str, int | None]]:
    """Names and labels of the videos."""
    if args.videos:
        return [(name, None) for name in args.videos]
    return read_path_list(args.list)


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
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    depth = cfg.model.backbone.get('depth', 12)
    if args.layer is not None and not 1 <= args.layer <= depth:
        raise ExtractionError(f'--layer {args.layer}: the backbone has layers 1 to {depth}')
    entries = read_videos(args)
    names = [name for name, _ in entries]
    parts = Parts(args.out, describe(args, cfg, names))
    done = parts.done()
    start = done[-1]['end'] if done else 0
    if start < len(names):
        model = build_model(cfg, args.checkpoint, args.device)
        paths = [str(Path(args.prefix, name)) for name in names]
        videos = Videos(paths, choose_pipeline(cfg))
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
    args = parse_args(argv)
    try:
        broken = run(args)
    except (ExtractionError, OSError, ValueError, RuntimeError) as error:
        print(f'extract_features: {error}', file=sys.stderr)
        return 1
    if broken:
        print(f'{broken} video(s) left out', file=sys.stderr)
    return 3 if broken else 0


if __name__ == '__main__':
    sys.exit(main())
