"""Does the difficulty table tell places of a video apart when clips are random crops?

    make demo                                  # makes the clips and the two teachers
    python benchmarks/difficulty_places.py     # three short trainings, a few minutes each

A student is trained with the base loss; boxes, masks and losses of every visit are kept. Then both
regions of ``DAREHook`` go through the same visits. Before each, the table is asked for the masked
patches of the clip, and the answer is compared with the losses of that visit:

- rank correlation (Spearman) over the patches of a video, mean over visits and teachers;
- correlation of the weights, ``softmax(loss / tau)``. If the noise of two visits is independent, it
  is the share of the weights' variance that is place: the same in both visits.

Two controls read the canonical table with the box of another clip (what smoothing alone gives), and
that of another video (what all videos have in common).
"""

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np
import torch
from harness import machine_line, markdown, save_json
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.dare import DifficultyTable, pack_rows
from pmd_mmaction.functional import gather_crop, region_weights, smooth_difficulty, spread_crop
from pmd_mmaction.teacher_configs import leave_out_files

ROOT = Path(__file__).resolve().parents[1]
ALPHA, TAU = 0.95, 0.5
CROPS = {
    'none': [],
    'area 0.7 to 1 (the demo)': [
        dict(type='RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1))
    ],
    'sides 0.66 to 1 (Kinetics)': [
        dict(
            type='MultiScaleCrop',
            input_size=48,
            scales=(1, 0.875, 0.75, 0.66),
            random_crop=False,
            max_wh_scale_gap=1,
            num_fixed_crops=13,
        )
    ],
}


@HOOKS.register_module(force=True)
class KeepVisits(Hook):
    """Keeps videos, boxes, masks and patch losses of each iteration."""

    def before_train(self, runner) -> None:
        """Listens to what the model observes."""
        self.visits: list[dict[str, Tensor]] = []
        observe = runner.model.observe

        def keep(*args: object) -> object:
            self.step = observe(*args)
            return self.step

        runner.model.observe = keep

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Keeps them."""
        samples, step = data_batch['data_samples'], self.step
        losses = [step.patch_loss(name, 'l2', 'mean').detach() for name in step.decoded]
        self.visits.append(
            dict(
                videos=torch.tensor([sample.sample_idx for sample in samples]),
                boxes=torch.from_numpy(np.concatenate([sample.crop_box for sample in samples])),
                masked=step.student.masked,
                losses=torch.stack(losses, 1),
            )
        )


def configure(crops: list[dict], args: argparse.Namespace, work_dir: str) -> Config:
    """The base loss of the demo with these crops; each epoch visits every video once."""
    cfg = Config.fromfile(ROOT / 'configs/pmd/ablations/vit-tiny_demo_pretrain_base.py')
    dataset = cfg.train_dataloader.dataset
    steps = [step for step in dataset.pipeline if step.type != 'RandomResizedCrop']
    place = [step.type for step in steps].index('Resize')
    steps[place:place] = crops
    steps[-1].meta_keys = ('img_shape', 'sample_idx', 'crop_box')
    dataset.pipeline = [*steps[:-1], dict(type='NoteCropBox'), steps[-1]]
    listed = (args.data / 'train.txt').read_text().splitlines()[: args.videos]
    Path(work_dir, 'train.txt').write_text('\n'.join(listed))
    dataset.update(ann_file=f'{work_dir}/train.txt', data_prefix=dict(video=str(args.data)))
    loader = cfg.train_dataloader
    loader.batch_size = min(loader.batch_size, args.videos)
    if args.random_teachers:
        leave_out_files(cfg.model)
    cfg.default_hooks.curriculum.phases = [(args.mask_ratio, args.epochs)]
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.custom_hooks = [dict(type='KeepVisits')]
    cfg.randomness.seed = args.seed
    cfg.log_level, cfg.work_dir = 'ERROR', work_dir
    return cfg


def train(crops: list[dict], args: argparse.Namespace) -> tuple[list[dict], tuple[int, int, int]]:
    """The visits of a training, and the token grid."""
    with tempfile.TemporaryDirectory() as work_dir:
        runner = Runner.from_cfg(configure(crops, args, work_dir))
        runner.train()
        grid = runner.model.backbone.token_grid
        return next(h for h in runner.hooks if isinstance(h, KeepVisits)).visits, grid


# ---------------------------------------------------------------------- the tables


def ask(rows: Tensor, visit: dict[str, Tensor], grid: tuple) -> Tensor:
    """What rows of the frame say about the masked patches of a visit: (B, K, M)."""
    crops = gather_crop(rows, visit['boxes'], grid)
    return crops.gather(2, visit['masked'][:, None].expand(-1, rows.shape[1], -1))


def follow(visits: list[dict], grid: tuple, videos: int, by_place: bool, skip: int) -> dict:
    """Correlations of a table's answers with the losses, over all visits after the first ones.

    Args:
        visits: of a training.
        grid: tokens along (time, height, width).
        videos: number of videos.
        by_place: whether the rows cover the frame.
        skip: iterations that only fill the table.

    Returns:
        Name of a question to its (rank correlation, correlation of weights) pairs.
    """
    teachers = visits[0]['losses'].shape[1]
    table = DifficultyTable.create(None, videos, teachers, int(np.prod(grid)), 'float32')
    found: dict[str, list] = dict(own=[], box=[], video=[])
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    for i, visit in enumerate(visits):
        if not by_place:
            visit = visit | dict(boxes=whole.expand(len(visit['boxes']), 4))
        last = table.read(visit['videos'])[0]
        answer = ask(last, visit, grid)
        if i >= skip:
            found['own'] += compare(answer, visit['losses'])
            other = visit | dict(boxes=visit['boxes'].roll(1, 0))
            found['box'] += compare(ask(last, other, grid), visit['losses'])
            found['video'] += compare(ask(last.roll(1, 0), visit, grid), visit['losses'])
        smoothed = smooth_difficulty(visit['losses'], answer, ALPHA)
        rows = pack_rows(visit['masked'], smoothed, table.layout)
        table.write_rows(visit['videos'], spread_crop(rows, last, visit['boxes'], grid))
    return found


def compare(answer: Tensor, losses: Tensor) -> list[tuple[float, float]]:
    """Both correlations for each clip and teacher, over the patches that the table knows."""
    pairs = []
    for told, seen in zip(answer.flatten(0, 1), losses.flatten(0, 1)):
        known = told > 0
        told, seen = told[known], seen[known]
        weights = [region_weights(part, TAU).numpy() for part in (told, seen)]
        ranks = [part.argsort().argsort().numpy() for part in (told, seen)]
        pairs.append((np.corrcoef(*ranks)[0, 1], np.corrcoef(*weights)[0, 1]))
    return pairs


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, default=Path('data/demo'), help='a demo data set')
    parser.add_argument('--videos', type=int, default=320)
    parser.add_argument('--epochs', type=int, default=12, help='the last third is compared')
    parser.add_argument('--mask-ratio', type=float, default=0.9)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--random-teachers', action='store_true', help='to see that it works')
    parser.add_argument('--json', help='write the raw figures here')
    return parser.parse_args()


def main() -> None:
    logging.disable(logging.INFO)
    args = parse_args()
    questions = {'own': '', 'box': ', box of another clip', 'video': ', another video'}
    rows, content = [], {}
    for crop, steps in CROPS.items():
        visits, grid = train(steps, args)
        skip = len(visits) - max(1, args.epochs // 3) * (len(visits) // args.epochs)
        for region in ('patch_index', 'canonical'):
            by_place = region == 'canonical'
            found = follow(visits, grid, args.videos, by_place, skip)
            for question, words in questions.items():
                if question == 'box' and not (by_place and steps):
                    continue
                mean = np.nanmean(found[question], 0).round(3).tolist()
                content[f'{crop}, {region}{words}'] = mean
                rows.append([crop, region + words, *(f'{value:.3f}' for value in mean)])
    print(machine_line(), '\n')
    print(markdown(('crops', 'region', 'rank correlation', 'share of place'), rows))
    arguments = {key: str(value) for key, value in vars(args).items() if key != 'json'}
    save_json(args.json, dict(machine=machine_line(), arguments=arguments, rows=content))


if __name__ == '__main__':
    main()
