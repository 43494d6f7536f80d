"""Acceptance on one CUDA GPU: is what was built on CPUs right and fast there?

    python benchmarks/gpu_acceptance.py --out work_dirs/acceptance          # 8 minutes on an H100
    python benchmarks/gpu_acceptance.py --out work_dirs/acceptance --tiny   # a rehearsal, on a CPU

Each part runs in a process of its own, so that none inherits another's memory, settings or broken
GPU, and none can hang the others: a part that is not done when its time is over is ended. Whatever
is found is written at once, to acceptance.json and acceptance.md. Exit code: 0 if all is well, 1 if
something failed.
"""

import argparse
import json
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from acceptance_rows import Row, Settings, holds
from harness import add_device, machine_line, markdown

HERE = Path(__file__).resolve().parent


class Part(NamedTuple):
    """A part of the acceptance.

    Attributes:
        name: heading in the report.
        place: module and function that yields its rows.
        seconds: after which it is ended.
    """

    name: str
    place: str
    seconds: int


# In the order of what would end a training first; compiling is slow and comes last.
PARTS = (
    Part('versions', 'gpu_acceptance:versions', 60),
    Part('CPU and GPU', 'acceptance_numbers:parity', 90),
    Part('precision', 'acceptance_numbers:precision', 60),
    Part('step', 'acceptance_speed:step_time', 120),
    Part('optimizer', 'acceptance_speed:optimizer', 60),
    Part('host', 'acceptance_host:host_wait', 90),
    Part('not finite', 'acceptance_runs:guard', 60),
    Part('curriculum', 'acceptance_runs:curriculum', 150),
    Part('table', 'acceptance_runs:table', 90),
    Part('loader', 'acceptance_host:loader', 60),
    Part('compiled', 'acceptance_speed:compiled', 150),
)


def versions(settings: Settings) -> Iterator[Row]:
    """The machine, its software, and what tools/doctor.py finds."""
    import torch

    from pmd_mmaction.diagnosis import examine_environment

    yield Row('machine', machine_line(settings.device))
    if settings.device == 'cuda':
        properties = torch.cuda.get_device_properties(0)
        size = f'{properties.total_memory / 2**30:.1f} GiB'
        yield Row('GPU', properties.name, note=size)
        yield Row('CUDA, cuDNN', f'{torch.version.cuda}, {torch.backends.cudnn.version()}')
        yield holds('bfloat16', torch.cuda.is_bf16_supported())
    for subject, level, text, remedy in examine_environment():
        if level == 'ok':
            yield Row(f'doctor: {subject}', text)
        else:
            passed, note = level != 'error', f'{text}: {remedy}'
            yield Row(f'doctor: {subject}', level, 'no error', passed, note)


def work(part: Part, settings: Settings, file: Path) -> None:
    """Runs a part and writes its rows as they come; what it raises is a row."""
    os.setsid()  # what it starts ends with it
    logging.disable(logging.INFO)
    rows: list[Row] = []
    module, function = part.place.split(':')
    try:
        for row in getattr(import_module(module), function)(settings):
            rows.append(row)
            write_rows(file, rows)
    except BaseException as error:
        traceback.print_exc()
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:500]
        write_rows(file, [*rows, Row('ended by an error', False, 'True', False, reason)])


def write_rows(file: Path, rows: list[Row]) -> None:
    """Writes the rows of a part; a reader never sees half a file."""
    aside = file.with_suffix('.tmp')
    aside.write_text(json.dumps([row._asdict() for row in rows], indent=1))
    aside.replace(file)


def run(part: Part, settings: Settings, seconds: float) -> list[Row]:
    """The rows of a part that has at most so many seconds, in a process of its own."""
    file = settings.scratch / f'{part.name.replace(" ", "_")}.json'
    file.unlink(missing_ok=True)
    # A process that is forked after anybody asked for a GPU cannot use one.
    context = multiprocessing.get_context('spawn' if settings.device == 'cuda' else 'forkserver')
    process = context.Process(target=work, args=(part, settings, file))
    process.start()
    try:
        process.join(seconds)
        late = process.exitcode is None
    finally:
        process.kill()
        with suppress(ProcessLookupError):  # all that it started has ended too
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
    rows = [Row(**row) for row in json.loads(file.read_text())] if file.exists() else []
    if late:
        rows.append(Row('in time', False, 'True', False, f'ended after {seconds:.0f} s'))
    elif process.exitcode:
        rows.append(Row('ends', False, 'True', False, f'exit code {process.exitcode}'))
    elif not rows:
        rows.append(Row('found something', False, 'True', False))
    return rows


def report(
    out: Path, settings: Settings, found: dict[str, list[Row]], seconds: dict[str, float]
) -> str:
    """Writes all that was found so far; returns the Markdown."""
    failed = sum(not row.passed for rows in found.values() for row in rows)
    kind = 'rehearsal of tiny sizes' if settings.tiny else 'full size'
    text = [f'# Acceptance on {settings.device}, {kind}\n', f'{failed} failed\n']
    for name, rows in found.items():
        text.append(f'## {name} ({seconds[name]:.0f} s)\n')
        cells = [
            (row.name, _shown(row.value), row.threshold, _verdict(row), row.note.replace('|', '/'))
            for row in rows
        ]
        text.append(markdown(('what', 'found', 'wanted', '', 'note'), cells) + '\n')
    parts = {
        name: dict(seconds=seconds[name], rows=[row._asdict() for row in rows])
        for name, rows in found.items()
    }
    content = dict(device=settings.device, tiny=settings.tiny, failed=failed, parts=parts)
    (out / 'acceptance.json').write_text(json.dumps(content, indent=1))
    (out / 'acceptance.md').write_text('\n'.join(text))
    return text[-1]


def _shown(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def _verdict(row: Row) -> str:
    return '' if not row.threshold else 'ok' if row.passed else '**FAILED**'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, required=True, help='folder for the report')
    parser.add_argument('--tiny', action='store_true', help='a rehearsal: all parts, tiny sizes')
    parser.add_argument('--seconds', type=float, default=470, help='for all (%(default)s)')
    names = [part.name for part in PARTS]
    parser.add_argument('--parts', nargs='+', choices=names, default=names)
    add_device(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    scratch = args.out.resolve() / 'scratch'
    scratch.mkdir(exist_ok=True)
    settings = Settings(args.device, args.tiny, scratch)
    paths = [str(HERE), str(HERE.parent), os.environ.get('PYTHONPATH', '')]
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, paths))  # for the processes
    multiprocessing.get_context('forkserver').set_forkserver_preload(
        sorted({part.place.split(':')[0] for part in PARTS})
    )
    found: dict[str, list[Row]] = {}
    taken: dict[str, float] = {}
    start = time.monotonic()
    for part in PARTS:
        if part.name not in args.parts:
            continue
        begin = time.monotonic()
        left = args.seconds - (begin - start)
        if left < 5:
            found[part.name] = [Row('has time', False, 'True', False, f'{left:.0f} s were left')]
        else:
            found[part.name] = run(part, settings, min(part.seconds, left))
        taken[part.name] = time.monotonic() - begin
        print(f'## {part.name} ({taken[part.name]:.0f} s)\n', flush=True)
        print(report(args.out, settings, found, taken), flush=True)
    failed = sum(not row.passed for rows in found.values() for row in rows)
    shutil.rmtree(scratch)
    print(f'{failed} failed; {args.out / "acceptance.md"}, {time.monotonic() - start:.0f} s')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
