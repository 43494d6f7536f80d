"""One cell of the leaderboard: a training and what its encoder is worth, in a process of its own.

    python benchmarks/board_cell.py CONFIG --seed 0 --work-dir DIR --clips CLIPS.pt --out CELL.json

`leaderboard.py` writes the config and calls this. An interrupted cell goes on.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path

import torch
from board_table import METRICS
from board_training import attentive_probe, fine_tuning
from harness import machine_line
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor
from torch.utils.data import DataLoader

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction import child_process
from pmd_mmaction.datasets import ReadableClips, read_path_list
from pmd_mmaction.evaluation import (
    choose_pipeline,
    compute_features,
    first_of_each_class,
    fit_linear_probe,
    knn_scores,
    load_frozen,
)
from pmd_mmaction.storage.atomic_file import write_file

ROOT = Path(__file__).resolve().parents[1]
SPLITS = ('train', 'val')
FEW = 10
# epochs of the fine-tuning on all labels, and on FEW a class: as many steps at 80 a class
EPOCHS, EPOCHS_FEW = 5, 40
Clips = dict[str, tuple[Tensor, Tensor]]


def read_clips(cfg: Config, root: Path) -> Clips:
    """Split to ``(S, 3, T, H, W)`` uint8 clips and ``(S,)`` labels of a demo data set."""
    init_default_scope('mmaction')
    clips = {}
    for split in SPLITS:
        entries = read_path_list(root / f'{split}.txt', str(root))
        paths = [str(root / name) for name, _ in entries]
        loader = DataLoader(
            ReadableClips(paths, choose_pipeline(cfg)), 64, collate_fn=lambda items: items
        )
        read = [item for items in loader for item in items]
        broken = [f'{path}: {item}' for path, item in zip(paths, read) if isinstance(item, str)]
        if broken:
            raise SystemExit(f'{broken[0]}: make the data set anew')
        pixels = [item['inputs'] for item in read]
        clips[split] = torch.cat(pixels), torch.tensor([label for _, label in entries])
    return clips


def evaluate(
    cfg: Config, checkpoint: str, clips: Clips, device: str, wanted: Collection[str]
) -> dict[str, float]:
    """Top-1 on the validation clips of classifiers on frozen features, and of fine-tuning.

    Args:
        cfg: of the pre-training.
        checkpoint: the student.
        clips: see :func:`read_clips`.
        device: ``'cpu'`` or ``'cuda'``.
        wanted: of ``knn`` (20 neighbours), ``linear`` (all labels), ``linear_few`` (10 labels a
            class), ``attentive``, ``finetune`` (all labels), ``finetune_few``.

    Returns:
        Name to top-1 of what is wanted.
    """
    model = load_frozen(cfg, checkpoint, device)
    pixels = {split: part for split, (part, _) in clips.items()}
    tokens = {split: tokens_of(model, part) for split, part in pixels.items()}
    features = {split: part.mean(1) for split, part in tokens.items()}
    if not all(part.isfinite().all() for part in features.values()):
        raise SystemExit(f'{checkpoint}: its features are not finite, so the training diverged')
    (_, known), (_, answers) = clips['train'], clips['val']
    few = first_of_each_class(known, FEW)
    heads = {
        'linear': fit_linear_probe(features['train'], known),
        'linear_few': fit_linear_probe(features['train'][few], known[few]),
    }

    def fine_tuned(videos: dict[str, Tensor], labels: Tensor, epochs: int, head: str) -> Tensor:
        model = load_frozen(cfg, checkpoint, device)  # fine-tuning changes it
        prepare = partial(_prepare, model)
        return fine_tuning(model.backbone, prepare, videos, labels, epochs, heads[head])

    subset = dict(pixels, train=pixels['train'][few])
    scores = dict(
        knn=lambda: knn_scores(features['train'], known, features['val'], min(20, len(known))),
        linear=lambda: linear_scores(features['val'], *heads['linear']),
        linear_few=lambda: linear_scores(features['val'], *heads['linear_few']),
        attentive=lambda: attentive_probe(tokens, known, device),
        finetune=lambda: fine_tuned(pixels, known, EPOCHS, 'linear'),
        finetune_few=lambda: fine_tuned(subset, known[few], EPOCHS_FEW, 'linear_few'),
    )
    right = {name: scores[name]().argmax(1) == answers for name in wanted}
    return {name: found.double().mean().item() for name, found in right.items()}


def linear_scores(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return features @ weight.T + bias


def _prepare(model: torch.nn.Module, pixels: Tensor) -> Tensor:
    """``(B, C, T, H, W)`` uint8 clips, normalised and on the device of the model."""
    data = dict(inputs=list(pixels[:, None]), data_samples=[])
    return model.data_preprocessor(data, training=False)['inputs'].flatten(0, 1)


def tokens_of(model: torch.nn.Module, pixels: Tensor) -> Tensor:
    batches = []
    for part in pixels.split(64):
        tokens = compute_features(model, _prepare(model, part)[:, None], per_patch=True)
        batches.append(tokens[:, 0].cpu())
    return torch.cat(batches)


def train(config: str, seed: int, work_dir: Path, device: str) -> int | None:
    """Runs the training to its end, through the Runner; returns its seconds, None if in parts."""
    work_dir.mkdir(parents=True, exist_ok=True)
    whole = not (work_dir / 'last_checkpoint').exists()
    command = [
        *(sys.executable, 'tools/train.py', config, '--resume', '--no-validate'),
        *('--seed', str(seed), '--work-dir', str(work_dir)),
    ]
    hidden = dict(CUDA_VISIBLE_DEVICES='') if device == 'cpu' else {}
    start = time.perf_counter()
    with (work_dir / 'output.txt').open('a') as output:
        status = child_process.run(
            command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, **hidden}
        )
    if status:
        raise SystemExit(f'{work_dir}: training failed; see output.txt')
    return round(time.perf_counter() - start) if whole else None


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--work-dir', type=Path, required=True)
    parser.add_argument('--clips', required=True, help='what read_clips gives, saved')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--note', type=json.loads, default={}, help='goes into the JSON')
    parser.add_argument('--evaluate', nargs='+', choices=METRICS, default=list(METRICS))
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    student = args.work_dir / 'student.pth'
    made = dict(seconds=None, machine=machine_line(args.device), top1={})
    if not student.exists():
        made['seconds'] = train(args.config, args.seed, args.work_dir, args.device)
    elif args.out.exists():  # evaluated for more
        made = {key: json.loads(args.out.read_text())[key] for key in made}
    lacking = [name for name in args.evaluate if name not in made['top1']]
    init_default_scope('mmaction')
    clips = torch.load(args.clips, weights_only=True)
    made['top1'] |= evaluate(cfg, str(student), clips, args.device, lacking)
    result = dict(args.note, seed=args.seed, **made)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_file(args.out, (json.dumps(result, indent=1) + '\n').encode())


if __name__ == '__main__':
    main()
