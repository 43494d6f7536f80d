"""Runs the whole method on demo clips: data, two teachers, four phases, probes, report.

Every step is an ordinary command of this repository and is printed before it runs. A step whose
result exists is skipped; one that was interrupted is resumed. Two run at a time: the teachers, then
the PMD student and base, which has no PSD, DARE and CLFA; whichever core is free first probes.
"""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.table import Table

from pmd_mmaction import child_process
from pmd_mmaction.cpu_cores import count_cores

SHIPPED = Path(__file__).resolve().parents[1]
# an installed package holds no results
ROOT = Path.cwd() if SHIPPED.name == '.mim' else SHIPPED
CHANCE = 1 / 12
FEW = 10
PLAIN = re.compile(r'[\w./][\w./-]*', re.ASCII)  # what MMEngine's DictAction leaves as it is


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=0, help='seed of the pre-trainings')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='where results go')
    args = parser.parse_args(argv)
    if not PLAIN.fullmatch(args.work_dir):
        parser.error(
            f'--work-dir is {args.work_dir!r}, but it goes through --cfg-options, which change '
            'other names: take letters, digits and . _ - / only, no - in front'
        )
    return args


class Demo:
    """Runs the steps.

    Args:
        work_dir: where results go, relative to the repository, or to the current folder if the
            package is installed.
        seed: seed of the pre-trainings.
    """

    def __init__(self, work_dir: str, seed: int) -> None:
        self.work, self.seed = Path(work_dir), seed
        self.console = Console()

    def require_seed(self) -> None:
        """Refuses a folder whose results are of another seed.

        Raises:
            SystemExit: naming the seed.
        """
        note = ROOT / self.work / 'seed.txt'
        note.parent.mkdir(parents=True, exist_ok=True)
        known = note.read_text() if note.exists() else str(self.seed)
        if known != str(self.seed):
            raise SystemExit(f'{self.work} has results of seed {known}: choose another --work-dir')
        note.write_text(known)

    def run(self, result: Path | None, *command: str, quiet: bool = False) -> None:
        """Runs a Python command unless its result exists; if quiet, its output goes to a file."""
        if result and self._have(result):
            return
        begin = time.perf_counter()
        with self._started(result, command, quiet) as options:
            status = child_process.run(self._program(command), cwd=ROOT, **options)
        self._check(result, command, status, quiet)
        if result:
            self.console.print(f'[green]done[/] {result} in {time.perf_counter() - begin:.0f} s')

    @contextmanager
    def beside(self, result: Path, *command: str, quiet: bool = True) -> Iterator[None]:
        """As :meth:`run`, while the body of the ``with`` runs."""
        if self._have(result):
            yield
            return
        with self._started(result, command, quiet) as options:
            with child_process.running(self._program(command), cwd=ROOT, **options) as program:
                yield
                self.console.print(f'waiting for {result}')
        self._check(result, command, program.returncode, quiet)

    def _have(self, result: Path) -> bool:
        exists = (ROOT / result).exists()
        if exists:
            self.console.print(f'[green]have[/] {result}')
        return exists

    @contextmanager
    def _started(
        self, result: Path | None, command: Sequence[str], quiet: bool
    ) -> Iterator[dict[str, IO]]:
        """Prints a command; yields where its output goes."""
        self.console.rule(shlex.join(('python', *command)))
        if not quiet:
            yield {}
            return
        log = _log(result)
        self.console.print(f'output: {log}')
        (ROOT / log).parent.mkdir(parents=True, exist_ok=True)
        with (ROOT / log).open('a') as file:
            yield dict(stdout=file, stderr=file)

    @staticmethod
    def _program(command: Sequence[str]) -> list[str]:
        """The command, with tools and configs where they are shipped."""
        ours = 'tools/', 'configs/'
        return [sys.executable, *(f'{SHIPPED / p}' if p.startswith(ours) else p for p in command)]

    def _check(self, result: Path | None, command: Sequence[str], status: int, quiet: bool) -> None:
        if status:
            self.console.print(f'[red]failed[/] with exit code {status}: {shlex.join(command)}')
            if quiet:
                self.console.print(f'its output: {_log(result)}')
            raise SystemExit(status)
        if result and not (ROOT / result).exists():
            raise SystemExit(f'{shlex.join(command)} ended without writing {result}')

    def training(self, config: str, work_dir: Path, **options: Path) -> tuple[str, ...]:
        """The command that trains a config, or resumes an interrupted run."""
        settings = [f'{key.replace("__", ".")}={value}' for key, value in options.items()]
        return (
            *('tools/train.py', config, '--resume'),
            *('--seed', str(self.seed), '--work-dir', str(work_dir)),
            *(['--cfg-options', *settings] if settings else []),
        )

    def probing(self, name: str, source: str) -> list[Path | str]:
        """The result and the command of linear probes on all labels and on few of them.

        They go through MMAction2's Recognizer3D and AccMetric.
        """
        result = self._scores(name)
        return [
            result,
            *('tools/linear_probe.py', 'configs/pmd/vit-tiny_demo_probe.py', source),
            *('--labels-per-class', 'all', str(FEW), '--json', str(result)),
            *('--work-dir', str(result.with_suffix(''))),
        ]

    def _scores(self, name: str) -> Path:
        return self.work / 'probes' / f'{name}.json'

    def scores(self, name: str) -> list[str]:
        """Top-1 of the two probes."""
        metrics = json.loads((ROOT / self._scores(name)).read_text())
        return [f'{metrics[f"{labels}/acc/top1"]:.3f}' for labels in ('all', FEW)]


def _log(result: Path) -> Path:
    return result.with_suffix('.txt')


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    demo, work = Demo(args.work_dir, args.seed), Path(args.work_dir)
    demo.require_seed()
    # two programs at a time: with all cores for each, a step takes several times as long
    os.environ.setdefault('OMP_NUM_THREADS', str(max(1, count_cores() // 2)))
    begin = time.perf_counter()
    demo.run(None, 'tools/data/make_demo_dataset.py', '--out', 'data/demo')  # checks for itself

    image, video = work / 'image_teacher.pth', work / 'video_teacher' / 'epoch_24.pth'
    image_run = work / 'image_teacher' / 'epoch_10.pth'
    image_config, video_config = (
        f'configs/teachers/{name}_vit-tiny_demo.py' for name in ('mae', 'videomae')
    )
    to_timm = ('tools/convert_checkpoint.py', '--from', 'mmaction', '--to', 'timm')
    with demo.beside(video, *demo.training(video_config, video.parent)):
        demo.run(image_run, *demo.training(image_config, image_run.parent))
        demo.run(image, *to_timm, str(image_run), str(image))
        demo.run(*demo.probing('untrained', '--random'))

    teachers = dict(model__image_teacher__checkpoint=image, model__video_teacher__checkpoint=video)
    student, base = work / 'pmd' / 'student.pth', work / 'pmd_base' / 'student.pth'
    config = 'configs/pmd/vit-tiny_demo_pretrain_8e.py'
    base_config = 'configs/pmd/ablations/vit-tiny_demo_pretrain_base_8e.py'
    with demo.beside(student, *demo.training(config, student.parent, **teachers), quiet=False):
        demo.run(base, *demo.training(base_config, base.parent, **teachers), quiet=True)
        demo.run(*demo.probing('base', str(base)), quiet=True)
        demo.run(*demo.probing('video_teacher', str(video)), quiet=True)
    demo.run(*demo.probing('student', str(student)))

    table = Table(
        'encoder',
        'all 80 labels per class',
        f'{FEW} labels per class',
        title=f'Top-1 of a linear probe, 12 classes, chance {CHANCE:.3f}, seed {args.seed}',
    )
    for name, label in (
        ('untrained', 'untrained'),
        ('video_teacher', 'video teacher (VideoMAE)'),
        ('base', 'base: no PSD, DARE, CLFA'),
        ('student', 'PMD student'),
    ):
        table.add_row(label, *demo.scores(name))
    demo.console.print(table)
    report = work / 'pmd' / 'report.html'
    demo.run(None, 'tools/report.py', str(work / 'pmd'), '--out', str(report))
    demo.console.print(
        f'report: {ROOT / report}; time of this call: {(time.perf_counter() - begin) / 60:.1f} min'
    )


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped; the same command goes on')
