"""Writes a page about a pre-training run, finished or in progress: one HTML file."""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import logging
import os
import sys
import warnings

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.report import Run, RunError, write_report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run', help='work directory of the run, or its config')
    parser.add_argument(
        '--out', type=Path, help='file, or folder for report.html (default: the work directory)'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    logging.disable(logging.INFO)  # building the models tells of each weight
    warnings.filterwarnings('ignore', 'SeedAugmentation knows no epoch')  # nothing is trained
    try:
        run = Run.open(args.run)
    except RunError as error:
        sys.exit(str(error))
    out = args.out or run.work_dir / 'report.html'
    out = out / 'report.html' if out.is_dir() else out
    folder = next(path for path in out.absolute().parents if path.exists())
    if not os.access(folder, os.W_OK):  # said before minutes of computing
        sys.exit(f'{folder} cannot be written to: name another file with --out')
    print(write_report(run, out))


if __name__ == '__main__':
    main()
