"""Checks whether this machine and a config are ready for training, and says what to fix."""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config, DictAction
from rich.console import Console
from rich.table import Table

COLOURS = dict(ok='green', warning='yellow', error='red')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog='exit status: 0 if nothing is wrong, 1 if there is an error'
    )
    parser.add_argument('config', nargs='?', help='training config to check as well')
    parser.add_argument('--work-dir', help='work directory of the run; overrides the config')
    parser.add_argument(
        '--entries', type=int, default=20, help='videos of each list to look for (default 20)'
    )
    parser.add_argument(
        '--gpus', type=int, help='training processes per machine (default: its GPUs, or 1)'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    parser.add_argument('--json', action='store_true', help='a JSON list instead of a table')
    return parser.parse_args(argv)


def examine(args: argparse.Namespace) -> list:
    """All findings, as tuples (subject, level, found, remedy)."""
    try:
        from torch.cuda import device_count

        from pmd_mmaction.diagnosis import Finding, examine_config, examine_environment
    except ImportError as error:  # a library is missing or too old; the message has the remedy
        return [('pmd_mmaction', 'error', str(error), 'do what it says, then run this again')]
    findings = list(examine_environment())
    if args.config is None:
        return findings
    try:
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        if args.work_dir:
            cfg.work_dir = args.work_dir
    except Exception as error:  # a config is Python
        return [
            *findings,
            Finding('config', 'error', f'{type(error).__name__}: {error}', 'mend it'),
        ]
    gpus = args.gpus or max(device_count(), 1)
    return [*findings, *examine_config(cfg, args.entries, gpus)]


def show(findings: list) -> None:
    """Prints a table, and the verdict below it."""
    table = Table(expand=True)
    for name in ('', 'what', 'found', 'remedy'):
        table.add_column(name, overflow='fold')  # a truncated path is useless
    for subject, level, found, remedy in findings:
        table.add_row(f'[{COLOURS[level]}]{level}[/]', *map(_plain, (subject, found, remedy)))
    console = Console()
    console.print(table)
    counts = {level: sum(f[1] == level for f in findings) for level in COLOURS}
    verdict = 'error' if counts['error'] else 'ok'
    text = f'{counts["error"]} errors, {counts["warning"]} warnings'
    console.print(f'[{COLOURS[verdict]}]{"not ready" if counts["error"] else "OK"}[/]: {text}')


def _plain(text: str) -> str:
    """Printable text, with brackets that rich does not read as mark-up."""
    return text.encode('utf-8', 'backslashreplace').decode().replace('[', r'\[')


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Keeps the logs and output of libraries, also in C++ (Gloo), out of the report."""
    report = os.dup(1)
    os.dup2(2, 1)
    logging.disable(logging.INFO)  # building the model logs every weight
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        sys.stdout.flush()
        os.dup2(report, 1)
        os.close(report)


def main(argv: list[str] | None = None) -> int:
    """Runs the tool."""
    sys.stdout.reconfigure(errors='backslashreplace')  # the package may not be importable yet
    args = parse_args(argv)
    with libraries_silenced():
        findings = examine(args)
    if args.json:
        keys = ('subject', 'level', 'found', 'remedy')
        print(json.dumps([dict(zip(keys, finding)) for finding in findings], indent=2))
    else:
        show(findings)
    return int(any(level == 'error' for _, level, _, _ in findings))


if __name__ == '__main__':
    sys.exit(main())
