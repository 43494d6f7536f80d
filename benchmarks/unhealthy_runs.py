"""What sick runs look like: collapse, plateau at the mean, too high a rate, overfit, on purpose.

    python tools/data/make_demo_dataset.py --out data/demo
    python benchmarks/unhealthy_runs.py --plot docs/images/healthy_run.png

Each run is a config of three lines in ``benchmarks/unhealthy``; all have the same number of steps.
Clips are decoded and cropped once and kept in memory, so that a run takes a minute of CPU time.
Prints the verdicts of ``pmd_mmaction/diagnosis/run_health.py``. A finished run is not made again.
"""

import argparse
import logging
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from harness import machine_line, markdown, save_json
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.utils.data import Dataset

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.diagnosis.run_health import judge_run
from pmd_mmaction.visualization import read_scalars

matplotlib.use('Agg')
CONFIGS = Path(__file__).parent / 'unhealthy'
KNN = Path(__file__).parents[1] / 'configs/_base_/datasets/demo_knn.py'
NAMES = ('healthy', 'collapse', 'plateau', 'rate', 'overfit')
# quarter of the demo's clips: 4 frames of 32 px, 32 patches
SMALL = dict(embed_dims=48, depth=3, num_heads=3, img_size=32, num_frames=4)
CLIPS = dict(SampleFrames=dict(clip_len=4, frame_interval=2), Resize=dict(scale=(32, 32)))
PANELS = {
    'explained_pixel': 'explained variance',
    'held_out_explained_pixel': 'the same, held-out clips',
    'feature_rank': 'effective rank',
    'feature_spread': 'spread of the features',
    'loss': 'loss',
    'knn/top1': 'kNN top-1',
}
LIMITS = dict(
    explained_pixel=(-0.5, 0.6),
    held_out_explained_pixel=(-0.5, 0.6),
    feature_rank=(0.9, 6.5),
    feature_spread=(0, 0.9),
    loss=(0.2, 1),
)


@DATASETS.register_module(force=True)
class DecodedClips(Dataset):
    """The samples of another data set, made once.

    Args:
        dataset: its config.
    """

    def __init__(self, dataset: dict) -> None:
        source = DATASETS.build(dataset)
        self.samples = [source[i] for i in range(len(source))]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict:
        return self.samples[index]


def configure(name: str, args: argparse.Namespace) -> Config:
    """One of the configs, so short and on so few videos that it takes minutes."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    knn = Config.fromfile(KNN)
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[key] = knn[key] if args.evaluations else None
    work_dir = args.work_dir / name
    work_dir.mkdir(parents=True, exist_ok=True)
    cfg.model.backbone.update(SMALL)
    train = cfg.train_dataloader.dataset
    videos = train.pop('indices', args.videos)
    parts = [train, *(cfg.val_dataloader.dataset.datasets if args.evaluations else ())]
    for part, split, count in zip(parts, ('train', 'train', 'val'), (videos, args.bank, args.bank)):
        lines = (args.data / f'{split}.txt').read_text().splitlines()
        listed = work_dir / f'{split}_{count}.txt'
        listed.write_text('\n'.join(lines[:count]))
        for step in part.pipeline:
            step.update(CLIPS.get(step.type, {}))
        part.update(ann_file=str(listed), data_prefix=dict(video=str(args.data)))
    loader = cfg.train_dataloader
    loader.dataset = dict(type='DecodedClips', dataset=train)
    loader.num_workers, loader.persistent_workers = 0, False
    loader.batch_size = min(loader.batch_size, videos)
    epochs = args.steps // (videos // loader.batch_size)
    cfg.default_hooks.curriculum.phases = [(args.mask_ratio, epochs)]
    cfg.default_hooks.health.interval = 2
    cfg.default_hooks.checkpoint.interval = epochs
    cfg.train_cfg.val_interval = max(1, epochs // max(1, args.evaluations))
    cfg.log_level, cfg.work_dir = 'ERROR', str(work_dir)
    return cfg


def run(name: str, args: argparse.Namespace) -> dict[str, dict[int, float]]:
    """The scalars of a run, made now unless it was finished before."""
    done = args.work_dir / name / 'done'
    if not done.exists():
        try:
            Runner.from_cfg(configure(name, args)).train()
        except FloatingPointError as error:  # NonFiniteHook ends a run
            print(f'{name}: {error}')
        done.touch()
    return read_scalars(sorted((args.work_dir / name).glob('*/vis_data/scalars.json')))


def style(number: int, label: str) -> dict:
    """How the line of a run looks."""
    return dict(color=f'C{number}', label=label, lw=1)


def plot(runs: dict[str, dict[str, dict[int, float]]]) -> plt.Figure:
    """A panel per number, a line per run; what is off the scale is cut."""
    figure, axes = plt.subplots(1, len(LIMITS), figsize=(15, 3.4), layout='constrained')
    for axis, (key, limits) in zip(axes, LIMITS.items()):
        for i, (name, scalars) in enumerate(runs.items()):
            points = sorted(scalars.get(key, {}).items())
            steps, values = zip(*points) if points else ((), ())
            if 'held_out' in key:  # logged by epoch, whose lengths differ
                steps = np.linspace(0, 1, len(values) + 1)[1:]
            off = '' if any(limits[0] <= v <= limits[1] for v in values) else ' (off the scale)'
            axis.plot(steps, values, '.-' if 'held_out' in key else '-', **style(i, name + off))
        axis.set_title(PANELS[key])
        axis.set_xlabel('share of the run' if 'held_out' in key else 'iteration')
        axis.set_ylim(*limits)
    axes[0].legend(fontsize=7)
    return figure


def describe(scalars: dict[str, dict[int, float]]) -> list[str]:
    """Cells of the table: verdicts, and the means of the last fifth."""
    verdicts = ', '.join(finding.subject for finding in judge_run(scalars))
    cells = [verdicts]
    for key in PANELS:
        values = [value for _, value in sorted(scalars.get(key, {}).items())]
        cells.append(f'{np.mean(values[-max(1, len(values) // 5) :]):.3g}' if values else '')
    return cells


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('names', nargs='*', default=NAMES, help='default: all')
    parser.add_argument('--data', type=Path, default=Path('data/demo'), help='a demo data set')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/unhealthy'))
    parser.add_argument('--videos', type=int, default=320)
    parser.add_argument('--mask-ratio', type=float, default=0.75)
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--bank', type=int, default=120, help='clips of each side of kNN')
    parser.add_argument('--evaluations', type=int, default=4)
    parser.add_argument('--plot', type=Path, help='write the picture here')
    parser.add_argument('--json', help='write the raw figures here')
    return parser.parse_args()


def main() -> None:
    logging.disable(logging.INFO)
    args = parse_args()
    runs = {name: run(name, args) for name in args.names}
    rows = {name: describe(scalars) for name, scalars in runs.items()}
    print(machine_line(), '\n')
    print(
        markdown(('run', 'verdict', *PANELS.values()), [[name, *row] for name, row in rows.items()])
    )
    if args.plot:
        plot(runs).savefig(args.plot, dpi=90)
    save_json(args.json, dict(machine=machine_line(), rows=rows))


if __name__ == '__main__':
    main()
