"""Draws masks, difficulty maps and curves of a pre-training run."""

import runpy
from pathlib import Path
from types import SimpleNamespace

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
from pmd_mmaction.models.recognizers.masking import build_masker, build_views, stack_metainfo
from pmd_mmaction.teacher_configs import find_teachers
from pmd_mmaction.visualization import plot_curves, plot_difficulty, plot_masks, read_scalars

matplotlib.use('Agg')
# arguments of a model that say which views are drawn, with their defaults
VIEWS = dict(views={}, num_masks=1, mask_choice='disjoint')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pre-training config')
    parser.add_argument('work_dir', help='work directory of the run')
    parser.add_argument('--out', help='directory of the pictures (default: WORK_DIR/pictures)')
    parser.add_argument('--clips', type=int, default=4, help='clips in the difficulty picture')
    return parser.parse_args(argv)


def draw_masks(cfg: Config, dataset, backbone: torch.nn.Module) -> matplotlib.figure.Figure:
    """The views of the first clip in every phase: what each network sees, what is decoded."""
    model = SimpleNamespace(backbone=backbone)
    model.masker = build_masker(model, 'masker', cfg.model.masker)
    # two clips: with mask_choice='permuted' one may get the mask of the other
    samples = [sample_of(dataset, index) for index in range(min(2, len(dataset)))]
    views, masks = build_views(model, *(cfg.model.get(k, d) for k, d in VIEWS.items())), {}
    metainfo = {
        name: stack_metainfo([s['data_samples'] for s in samples], name, len(samples), model.masker)
        for name in model.masker.reads
        if name != 'mask_ratio'
    }
    for title, ratio in phases_of(cfg).items():
        generator = torch.Generator().manual_seed(0)
        drawn = views.draw(len(samples), ratio, generator, metainfo=metainfo)
        for name in sorted(drawn.keys() - {'auxiliary'}, key=lambda name: name != 'student'):
            for k in range(views.num_masks):
                label = [title if name == 'student' else name, f'mask {k + 1}' if k else '']
                masks['\n'.join(filter(None, label))] = hidden(drawn[name].visible[k], backbone)
        if views.decode is not None:
            masks[f'{title}\ndecoded'] = hidden(drawn['student'].masked[0], backbone)
    return plot_masks(frames(dataset, 0), masks, backbone.token_grid)


def hidden(patches: torch.Tensor, backbone: torch.nn.Module) -> np.ndarray:
    """``(N,)`` bool, False at some patches."""
    mask = np.ones(backbone.num_patches, dtype=bool)
    mask[patches] = False
    return mask


def phases_of(cfg: Config) -> dict[str, float]:
    """Title to mask ratio of each phase."""
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    hook = next((h for h in hooks if h and h['type'] == 'ProgressivePhaseHook'), None)
    if hook is None:
        return {f'{cfg.model.mask_ratio:.0%} masked': cfg.model.mask_ratio}
    return {
        f'phase {phase.index + 1}\n{phase.mask_ratio:.0%} masked': phase.mask_ratio
        for phase in PhaseSchedule.of_config(hook['phases']).phases
    }


def table_teachers(model: dict) -> list[str]:
    """Names of the teachers whose losses are in the difficulty table, in its order."""
    names = list(find_teachers(model))
    own = next((t for t in model.get('terms', []) if t['type'] == 'DARETerm'), {}).get('teachers')
    return names if own is None else [own] if isinstance(own, str) else list(own)


def draw_difficulty(
    cfg: Config, path: Path, dataset, indices: list[int], token_grid: tuple
) -> matplotlib.figure.Figure:
    """The newest table's rows over their clips."""
    layout = table_file.inspect(path).layout
    table = DifficultyTable.create(None, *layout.shape, layout.dtype)
    table_file.load(table, path)
    names = table_teachers(cfg.model)
    rows = table.read(indices)[0].numpy()
    return plot_difficulty(
        [frames(dataset, i) for i in indices], [dict(zip(names, row)) for row in rows], token_grid
    )


def frames(dataset, index: int) -> np.ndarray:
    """``(T, H, W, 3)`` uint8 frames of a sample."""
    return sample_of(dataset, index)['inputs'][0].permute(1, 2, 3, 0).numpy()


def sample_of(dataset, index: int) -> dict:
    """A packed clip, the first where a video gives several."""
    sample = dataset[index]
    return sample[0] if isinstance(sample, list) else sample


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    accept_any_name()
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    init_default_scope(cfg.default_scope)
    work_dir, out = Path(args.work_dir), Path(args.out or Path(args.work_dir) / 'pictures')
    out.mkdir(parents=True, exist_ok=True)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    backbone = MODELS.build(cfg.model.backbone)
    figures = dict(masks=draw_masks(cfg, dataset, backbone))
    tables = sorted(work_dir.glob('difficulty_*.table'), key=lambda p: p.stat().st_mtime)
    if tables:
        indices = np.linspace(0, len(dataset) - 1, args.clips).astype(int).tolist()
        figures['difficulty'] = draw_difficulty(
            cfg, tables[-1], dataset, indices, backbone.token_grid
        )
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if logs:
        figures['curves'] = plot_curves(read_scalars(logs), list(find_teachers(cfg.model)))
    for name, figure in figures.items():
        figure.savefig(out / f'{name}.png', dpi=110)
        print(out / f'{name}.png')


if __name__ == '__main__':
    main()
