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
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config, DictAction
from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLOURS = dict(ok='green', warning='yellow', error='red')
WIDTH = 80
# Group of what is fine to what belongs to it, by subject and finding; the first that fits.
GROUPS = {
    'known faults of the stack': lambda subject, found: subject.startswith('fault '),
    'packages': lambda subject, found: 'wanted' in found or subject in ('Python', 'mmcv', 'OpenCV'),
    'weights': lambda subject, found: subject.endswith(' file') or subject == 'load_from',
    'lists': lambda subject, found: subject.endswith(' list'),
    'config': lambda subject, found: subject.startswith(('hook', 'model', 'config')),
    'machine': lambda subject, found: True,
}


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
    parser.add_argument('--verbose', action='store_true', help='a table of all findings')
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
    except FileNotFoundError as error:
        remedy = '`python -m pmd_mmaction configs` lists the configs'
        return [*findings, Finding('config', 'error', str(error), remedy)]
    except Exception as error:  # a config is Python
        found = f'{type(error).__name__}: {error}'
        return [*findings, Finding('config', 'error', found, 'correct the config')]
    gpus = args.gpus or max(device_count(), 1)
    return [*findings, *examine_config(cfg, args.entries, gpus)]


def show(findings: list, verbose: bool = False) -> None:
    """Prints what is wrong, what is fine, and the verdict.

    Args:
        findings: tuples (subject, level, found, remedy).
        verbose: a table of all instead of a line for each group of what is fine.
    """
    counts = {level: sum(f[1] == level for f in findings) for level in COLOURS}
    colour = 'error' if counts['error'] else 'ok'
    verdict = 'not ready' if counts['error'] else 'OK'
    if verbose:
        _show_table(findings)
    else:
        for finding in sorted(findings, key=lambda f: f[1] != 'error'):
            if finding[1] != 'ok':
                _show_wrong(*finding)
        for group, subjects in _groups(findings).items():
            text = f'{group}: {len(subjects)} fine: {", ".join(dict.fromkeys(subjects))}'
            _print('ok', textwrap.shorten(text, WIDTH - 9, placeholder=' ...'))
    line = f'{verdict}: {counts["error"]} errors, {counts["warning"]} warnings'
    Console(highlight=False).print(f'[{COLOURS[colour]}]{line}[/]')


def _groups(findings: list) -> dict[str, list[str]]:
    """Group to the subjects that are fine."""
    groups: dict[str, list[str]] = {}
    for subject, level, found, _ in findings:
        if level == 'ok':
            name = next((name for name, belongs in GROUPS.items() if belongs(subject, found)))
            groups.setdefault(name, []).append(subject.removeprefix('fault '))
    return groups


def _show_wrong(subject: str, level: str, found: str, remedy: str) -> None:
    """What is wrong, and below it the remedy, in lines that are not wider than they need be."""
    _print(level, f'{subject}: {found}')
    _print('', f'-> {remedy}')


def _print(level: str, text: str) -> None:
    """Text beside its level; a path or command that is longer than a line stays whole."""
    lines = textwrap.wrap(_printable(text), WIDTH - 9, break_long_words=False) or ['']
    for number, line in enumerate(lines):
        mark = level if number == 0 else ''
        style = f'[{COLOURS[level]}]{mark:<8}[/]' if mark else ' ' * 8
        Console(width=10**4, highlight=False).print(f'{style} {escape(line)}')


def _show_table(findings: list) -> None:
    table = Table(expand=True)
    for name in ('', 'what', 'found', 'remedy'):
        table.add_column(name, overflow='fold')  # a truncated path is useless
    for subject, level, found, remedy in findings:
        row = (escape(_printable(text)) for text in (subject, found, remedy))
        table.add_row(f'[{COLOURS[level]}]{level}[/]', *row)
    Console().print(table)


def _printable(text: str) -> str:
    return text.encode('utf-8', 'backslashreplace').decode()


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
    args = parse_args(argv)
    with libraries_silenced():
        findings = examine(args)
    if args.json:
        keys = ('subject', 'level', 'found', 'remedy')
        print(json.dumps([dict(zip(keys, finding)) for finding in findings], indent=2))
    else:
        show(findings, args.verbose)
    return int(any(level == 'error' for _, level, _, _ in findings))


if __name__ == '__main__':
    sys.exit(main())
