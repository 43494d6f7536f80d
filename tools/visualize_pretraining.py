"""Draws masks, difficulty maps and curves of a PMD pre-training run."""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse

import matplotlib
import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.compat.terminal import accept_any_name
from pmd_mmaction.dare import DifficultyTable, table_file
from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.visualization import (
    plot_curves,
    plot_difficulty,
    plot_health,
    plot_masks,
    read_scalars,
)

matplotlib.use('Agg')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pre-training config')
    parser.add_argument('work_dir', help='work directory of the run')
    parser.add_argument('--out', help='directory of the pictures (default: WORK_DIR/pictures)')
    parser.add_argument('--clips', type=int, default=4, help='clips in the difficulty picture')
    return parser.parse_args(argv)


def draw_masks(cfg: Config, clip: np.ndarray, token_grid: tuple) -> matplotlib.figure.Figure:
    """One ranking, masked at the ratio of every phase."""
    masker = MODELS.build(cfg.model.masker, default_args=dict(token_grid=token_grid))
    order = masker.order(1, torch.Generator().manual_seed(0))
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    hook = next(h for h in hooks if h['type'] == 'ProgressivePhaseHook')
    masks = {}
    for phase in PhaseSchedule.of_config(hook['phases']).phases:
        mask = np.ones(np.prod(token_grid), dtype=bool)
        mask[masker.view(order, phase.mask_ratio).visible[0]] = False
        masks[f'phase {phase.index + 1}\n{phase.mask_ratio:.0%} masked'] = mask
    return plot_masks(clip, masks, token_grid)


def draw_difficulty(
    cfg: Config, path: Path, dataset, indices: list[int], token_grid: tuple
) -> matplotlib.figure.Figure:
    """The newest table's rows over their clips."""
    layout = table_file.inspect(path).layout
    table = DifficultyTable.create(None, *layout.shape, layout.dtype)
    table_file.load(table, path)
    names = [
        name
        for name, key in (('img', 'image_teacher'), ('vid', 'video_teacher'))
        if cfg.model.get(key)
    ]
    rows = table.read(indices)[0].numpy()
    return plot_difficulty(
        [frames(dataset, i) for i in indices], [dict(zip(names, row)) for row in rows], token_grid
    )


def frames(dataset, index: int) -> np.ndarray:
    """``(T, H, W, 3)`` uint8 frames of a sample."""
    return dataset[index]['inputs'][0].permute(1, 2, 3, 0).numpy()


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    accept_any_name()
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    init_default_scope(cfg.default_scope)
    work_dir, out = Path(args.work_dir), Path(args.out or Path(args.work_dir) / 'pictures')
    out.mkdir(parents=True, exist_ok=True)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    token_grid = MODELS.build(cfg.model.backbone).token_grid
    figures = dict(masks=draw_masks(cfg, frames(dataset, 0), token_grid))
    tables = sorted(work_dir.glob('difficulty_*.table'), key=lambda p: p.stat().st_mtime)
    if tables:
        indices = np.linspace(0, len(dataset) - 1, args.clips).astype(int).tolist()
        figures['difficulty'] = draw_difficulty(cfg, tables[-1], dataset, indices, token_grid)
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if logs:
        scalars = read_scalars(logs)
        figures |= dict(curves=plot_curves(scalars), health=plot_health({work_dir.name: scalars}))
    for name, figure in figures.items():
        figure.savefig(out / f'{name}.png', dpi=110)
        print(out / f'{name}.png')


if __name__ == '__main__':
    main()
