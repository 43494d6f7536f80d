"""Finds the videos of a list or folder that training could not read, and writes a clean list.

Every file is decoded with the reader used in training. Damaged files are left out: decoding errors,
corrupt frames, missing packets, a truncated end. Files in which only the header is wrong (sound
longer than the picture, trimmed videos, packets without a frame) are kept and noted in the report.

Exit code: 0 if all is well (also with notes), 3 if files were left out or a folder has videos
without a video suffix, 1 for an error. At the end the skipped files of a folder are counted by
suffix.

Every file adds a line to a journal next to the report, so that after an interruption the same
command continues; files that changed since then are checked again. The clean list and the report
are written when all files are checked.
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parents[1]}/environment.py')  # may end here

import argparse
import os
import sys
from collections import Counter
from contextlib import closing
from functools import partial

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from pmd_mmaction.cpu_cores import count_cores
from pmd_mmaction.curation.finished_files import Journal
from pmd_mmaction.curation.other_files import describe_other_files
from pmd_mmaction.curation.process_per_file import Outcome, map_isolated
from pmd_mmaction.curation.video_check import check_video
from pmd_mmaction.datasets.path_list import read_path_list
from pmd_mmaction.datasets.video_folder import scan_folder
from pmd_mmaction.storage.atomic_file import write_file, write_table
from pmd_mmaction.transforms.video_transforms import READERS

FINE, NOTED = 'fine', 'fine, but the header is wrong'
# Problems that may go away although the file is unchanged; these files are checked again.
PASSING = (
    *('missing', 'no permission', 'cannot be opened', 'cannot be read now'),
    *('decoder crash', 'decoder timeout'),
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', type=Path, help='list file, with or without labels, or folder')
    parser.add_argument('--prefix', default='', help='folder of the paths in the list')
    parser.add_argument(
        '--allow-outside', action='store_true', help='accept paths that leave --prefix'
    )
    parser.add_argument('--out', type=Path, required=True, help='clean list to write')
    parser.add_argument(
        '--report', type=Path, required=True, help='.csv of what was left out or noted'
    )
    parser.add_argument(
        '--reader',
        choices=sorted(READERS),
        default='pyav',
        help='reader used in training (%(default)s)',
    )
    parser.add_argument(
        '--min-frames', type=int, default=16, help='fewer is too short (%(default)s)'
    )
    parser.add_argument(
        '--header-only',
        action='store_true',
        help='only open the files: fast, but damage goes unnoticed',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.02,
        help='fraction of the length that may be missing at the end (%(default)s)',
    )
    parser.add_argument('--jobs', type=int, default=count_cores(), help='processes (%(default)s)')
    parser.add_argument('--timeout', type=float, default=300, help='seconds per file (%(default)s)')
    args = parser.parse_args(argv)
    for name in ('min_frames', 'jobs'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be 1 or more')
    return args


def read_source(
    source: Path, prefix: str, allow_outside: bool = False
) -> tuple[list[tuple[str, str]], list[Path]]:
    """Pairs (line for the clean list, path of the file), and the other files of a folder.

    Raises:
        ValueError: if there is no video, or a list names one outside the prefix.
    """
    if source.is_dir():
        videos, others = scan_folder(source)
        return [(str(path.relative_to(source)), str(path)) for path in videos], others
    if not source.exists():
        raise FileNotFoundError(
            f'{source} is neither a folder of videos nor a list of them; see docs/data.md'
        )
    return [
        (name if label is None else f'{name} {label}', str(Path(prefix, name)))
        for name, label in read_path_list(source, prefix, allow_outside)
    ], []


def identity(path: str) -> str:
    """Path, size and modification time, which identify a file."""
    try:
        stat = os.stat(path)
    except OSError:
        return f'{path}|absent'
    return f'{path}|{stat.st_size}|{stat.st_mtime_ns}'


def finding(outcome: Outcome) -> dict:
    """The result of a check, as stored in the journal."""
    if outcome.error in ('crash', 'timeout'):
        return dict(problem=f'decoder {outcome.error}', detail='', frames=0)
    if outcome.error is not None:
        out_of_memory = outcome.error.startswith('MemoryError')
        problem = 'cannot be read now' if out_of_memory else 'not a video'
        return dict(problem=problem, detail=outcome.error, frames=0)
    return outcome.value._asdict()


def check_all(paths: list[str], args: argparse.Namespace) -> dict[str, dict]:
    """The finding for every path; those in the journal are not checked again."""
    settings = dict(
        min_frames=args.min_frames,
        decode=not args.header_only,
        tolerance=args.tolerance,
        reader=args.reader,
    )
    keys = {path: identity(path) for path in paths}
    with closing(
        Journal(args.report.with_name(args.report.name + '.journal'), settings)
    ) as journal:
        found = {path: journal.get(key) for path, key in keys.items()}
        rest = [path for path, result in found.items() if result is None]
        done = len(paths) - len(rest)
        checks = map_isolated(partial(check_video, **settings), rest, args.jobs, args.timeout)
        for outcome in tqdm(checks, total=len(paths), initial=done, unit='video', disable=None):
            found[outcome.item] = result = finding(outcome)
            if result['problem'] not in PASSING:
                journal.add(keys[outcome.item], result)
    return found


def with_list_problems(
    entries: list[tuple[str, str]], found: dict[str, dict]
) -> list[tuple[str, str, dict]]:
    """Line, path and finding of every entry, adding problems of the list as a whole."""
    result: list[tuple[str, str, dict]] = []
    first: dict[str, str] = {}
    for line, path in entries:
        problem = found[path]
        if problem['problem'] is None and path in first:
            problem = dict(problem='twice in the list', detail=f'first as: {first[path]}')
        elif problem['problem'] is None and '\n' in line:
            problem = dict(problem='line break in its name', detail='no list can hold it')
        first.setdefault(path, line)
        result.append((line, path, problem))
    return result


def result_of(finding: dict) -> str:
    """The finding in a few words."""
    return finding['problem'] or (NOTED if finding['detail'] else FINE)


def write_results(judged: list[tuple[str, str, dict]], out: Path, report: Path) -> None:
    """Writes the clean list in the old order and the report."""
    good = [line for line, _, finding in judged if finding['problem'] is None]
    rows = [('path', 'problem', 'detail', 'kept')]
    for _, path, finding in judged:
        if finding['problem'] is not None:
            rows.append((path, finding['problem'], finding['detail'], 'no'))
        elif finding['detail']:
            rows.append((path, NOTED, finding['detail'], 'yes'))
    for path in (report, out):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_table(report, rows)
    write_file(out, ''.join(f'{line}\n' for line in good).encode('utf-8', 'surrogateescape'))


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; returns the exit code."""
    args = parse_args(argv)
    try:
        entries, others = read_source(args.source, args.prefix, args.allow_outside)
        found = check_all(list(dict.fromkeys(path for _, path in entries)), args)
        judged = with_list_problems(entries, found)
        write_results(judged, args.out, args.report)
        unseen, unseen_videos = describe_other_files(others, args.jobs, args.timeout)
    except (OSError, ValueError) as error:
        print(f'check_videos: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('check_videos: interrupted; the same command continues', file=sys.stderr)
        return 130
    counts = Counter(result_of(finding) for _, _, finding in judged)
    table = Table('result', 'videos')
    for name, count in counts.most_common():
        table.add_row(name, str(count))
    Console().print(table)
    if unseen:
        print(unseen, file=sys.stderr)
    if set(counts) != {FINE}:
        print(f'what was left out or noted, and why: {args.report}', file=sys.stderr)
    return 3 if unseen_videos or set(counts) - {FINE, NOTED} else 0


if __name__ == '__main__':
    sys.exit(main())
