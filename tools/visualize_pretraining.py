"""Draws masks, difficulty maps and curves of a pre-training run."""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse

import matplotlib

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.report.masks import draw_masks
from pmd_mmaction.report.run import Run, RunError, frames_of, sample_of, spread
from pmd_mmaction.teacher_configs import find_teachers
from pmd_mmaction.tool_errors import one_line_if_missing
from pmd_mmaction.visualization import plot_curves, plot_difficulty, plot_health

matplotlib.use('Agg')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pre-training config')
    parser.add_argument('work_dir', help='work directory of the run')
    parser.add_argument('--out', help='directory of the pictures (default: WORK_DIR/pictures)')
    parser.add_argument('--clips', type=int, default=4, help='clips in the difficulty picture')
    args = parser.parse_args(argv)
    if args.clips < 1:
        parser.error('--clips must be 1 or more')
    return args


@one_line_if_missing()
def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    try:
        run = Run.open(args.config)
    except RunError as error:
        raise SystemExit(str(error)) from None
    run.work_dir = Path(args.work_dir)
    if not run.work_dir.is_dir():
        raise SystemExit(f'there is no work directory {run.work_dir}')
    out = Path(args.out or run.work_dir / 'pictures')
    out.mkdir(parents=True, exist_ok=True)
    figures = dict(masks=draw_masks(run))
    if run.table is not None:
        samples = [sample_of(run.videos, index) for index in spread(len(run.videos), args.clips)]
        difficulty, clips = run.difficulty(samples), [frames_of(sample) for sample in samples]
        figures['difficulty'] = plot_difficulty(clips, difficulty, run.backbone.token_grid)
    if run.scalars:
        figures['curves'] = plot_curves(run.scalars, list(find_teachers(run.cfg.model)))
        figures['health'] = plot_health({run.work_dir.name: run.scalars})
    for name, figure in figures.items():
        figure.savefig(out / f'{name}.png', dpi=110)
        print(out / f'{name}.png')


if __name__ == '__main__':
    main()
