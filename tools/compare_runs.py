"""Curves and verdicts of pre-training runs, side by side."""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import os

import matplotlib
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pmd_mmaction.diagnosis.run_health import judge_run
from pmd_mmaction.visualization import plot_health, read_scalars

matplotlib.use('Agg')
COLOURS = dict(ok='green', warning='yellow', error='red')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work directory of a run')
    parser.add_argument('--out', default='runs.png', help='the picture (default: %(default)s)')
    return parser.parse_args(argv)


def read_runs(paths: list[str]) -> dict[str, dict[str, dict[int, float]]]:
    """Name of each run, as short as it can be, to its scalars.

    Raises:
        SystemExit: for a directory without a log.
    """
    names = [Path(os.path.abspath(path)).name for path in paths]  # of a link, its own
    names = names if len(set(names)) == len(names) else paths
    runs = {}
    for name, path in zip(names, paths):
        logs = sorted(Path(path).glob('*/vis_data/scalars.json'))
        runs[name] = read_scalars(logs)
        if not runs[name]:
            raise SystemExit(
                f'{path} has no */vis_data/scalars.json with values: give the work directory of a '
                'run that has logged something'
            )
    return runs


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    runs = read_runs(args.runs)
    table = Table('run', 'verdict', 'because', 'remedy')
    for name, scalars in runs.items():
        for i, finding in enumerate(judge_run(scalars)):
            verdict = f'[{COLOURS[finding.level]}]{finding.subject}[/]'
            first, found, remedy = map(escape, ('' if i else name, finding.found, finding.remedy))
            table.add_row(first, verdict, found, remedy)
    Console().print(table)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    plot_health(runs).savefig(args.out, dpi=110)
    print(args.out)


if __name__ == '__main__':
    main()
