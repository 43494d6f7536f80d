"""Copies a folder of videos as smaller H.264 files without sound.

A copy has the same frames as the original in the same order and at the same times, starting at 0,
upright and with the same colours. It gets its name only when it is complete; after an interruption
the same command continues. Videos that are damaged or could not be copied are listed in
resize_failures.csv in the target folder.

Exit code: 0 if all is well, 3 if videos could not be copied or the folder has videos without a
video suffix, 1 for an error. At the end the skipped files are counted by suffix.
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parents[1]}/environment.py')  # may end here

import argparse
import json
import sys

from pmd_mmaction.cpu_cores import count_cores
from pmd_mmaction.curation.missing_copies import make_missing_copies
from pmd_mmaction.curation.other_files import describe_other_files
from pmd_mmaction.curation.video_resize import ResizeSettings
from pmd_mmaction.datasets.video_folder import scan_folder
from pmd_mmaction.storage.atomic_file import write_file, write_table

FAILURES = 'resize_failures.csv'
SETTINGS = 'resize_settings.json'
PRESETS = ('ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium')  # of libx264
PRESETS += ('slow', 'slower', 'veryslow', 'placebo')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    default = ResizeSettings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='folder of videos')
    parser.add_argument('target', type=Path, help='folder for the copies, with the same structure')
    parser.add_argument(
        '--short-side',
        type=int,
        default=default.short_side,
        help='pixels; smaller videos are not enlarged (%(default)s)',
    )
    parser.add_argument(
        '--crf',
        type=int,
        choices=range(52),
        metavar='0-51',
        default=default.crf,
        help='quality, lower is better (%(default)s)',
    )
    parser.add_argument(
        '--preset', choices=PRESETS, default=default.preset, help='of libx264 (%(default)s)'
    )
    parser.add_argument(
        '--gop', type=int, default=default.gop, help='frames between key frames (%(default)s)'
    )
    parser.add_argument('--jobs', type=int, default=count_cores(), help='processes (%(default)s)')
    parser.add_argument('--timeout', type=float, default=1800, help='seconds each (%(default)s)')
    args = parser.parse_args(argv)
    for name in ('short_side', 'gop', 'jobs'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be 1 or more')
    return args


def plan(source: Path, target: Path) -> tuple[dict[str, str], list[Path]]:
    """Source file to target file, and the files that are not named as videos.

    Raises:
        ValueError: if there is no video, two would get the same name, or the target folder is
            inside the source folder.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(f'{target} lies in {source}: choose a folder outside')
    owners: dict[Path, Path] = {}
    clashes: list[str] = []
    videos, others = scan_folder(source)
    for path in videos:
        copy = target / path.relative_to(source).with_suffix('.mp4')
        if owners.setdefault(copy, path) != path:
            clashes.append(f'{owners[copy]} and {path} would both become {copy}')
    if clashes:
        more = f' ({len(clashes) - 1} other pairs likewise)' if len(clashes) > 1 else ''
        raise ValueError(f'{clashes[0]}{more}: rename one')
    return {str(path): str(copy) for copy, path in owners.items()}, others


def check_settings(source: Path, target: Path, settings: ResizeSettings) -> None:
    """Records the settings, and whose copies they are, in the target folder.

    Raises:
        ValueError: if it has copies with other settings, or of another folder, or videos of
            another origin.
    """
    note = target / SETTINGS
    text = json.dumps(dict(settings._asdict(), source=str(source.resolve())), indent=2)
    known = note.read_text(encoding='utf-8') if note.is_file() else None
    if known != text and any(target.rglob('*.mp4')):
        if known is None:
            raise ValueError(
                f'{target} holds videos that this tool did not make: choose another target'
            )
        raise ValueError(
            f'{target} holds copies with other settings or of another folder ({note}): choose '
            'another target, or the same settings; if the folder was only moved, delete that file'
        )
    target.mkdir(parents=True, exist_ok=True)
    write_file(note, text.encode())


def run(args: argparse.Namespace, pairs: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Makes the missing copies; returns the number of copies, and the failures."""
    settings = ResizeSettings(args.short_side, args.crf, args.preset, args.gop)
    check_settings(args.source, args.target, settings)
    copies = make_missing_copies(pairs.items(), settings, args.jobs, args.timeout)
    failures = {copy.item[0]: copy.error for copy in copies if copy.error is not None}
    write_table(args.target / FAILURES, [('path', 'error'), *sorted(failures.items())])
    return len(pairs) - len(failures), failures


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; returns the exit code."""
    args = parse_args(argv)
    try:
        pairs, others = plan(args.source, args.target)
        count, failures = run(args, pairs)
        unseen, unseen_videos = describe_other_files(others, args.jobs, args.timeout)
    except (OSError, ValueError) as error:
        print(f'resize_videos: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('resize_videos: interrupted; the same command continues', file=sys.stderr)
        return 130
    print(f'{count} videos in {args.target}')
    if unseen:
        print(unseen, file=sys.stderr)
    if failures:
        print(f'{len(failures)} failed: {args.target / FAILURES}', file=sys.stderr)
    return 3 if failures or unseen_videos else 0


if __name__ == '__main__':
    sys.exit(main())
