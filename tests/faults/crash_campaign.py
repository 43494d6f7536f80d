"""Kills a small run again and again, resumes it, and compares the end bit for bit.

    python tests/faults/crash_campaign.py --runs 56

Each run is a real process that executes tools/train.py --resume and gets a SIGKILL; a second one
goes on to the end. Some die at a moment that is uniform over the duration of a run, and once more
when they are resumed; the others at one that is uniform inside a place (`deaths.PLACES`). Prints
one line per run and the counts.
"""

import argparse
import importlib.util
import json
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults import deaths  # noqa: E402
from tests.integration import processes, tiny  # noqa: E402

ANY = 'any time'
TURNS = (ANY, *deaths.PLACES[:3], ANY, *deaths.PLACES[3:])
SECONDS_BETWEEN_LOOKS = 0.002
KEYS = ('state_dict', 'optimizer', 'param_schedulers', 'pmd', 'dare')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, default=7 * len(TURNS))
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--time', type=float, help='start no run after so many seconds')
    return parser.parse_args()


def train(config: Path, work_dir: Path) -> None:
    """Runs tools/train.py in this process."""
    spec = importlib.util.spec_from_file_location('train', ROOT / 'tools' / 'train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    with tiny._quick(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        tool.main([str(config), '--work-dir', str(work_dir), '--resume'])


def train_timed(config: Path, work_dir: Path, report: Path, death: deaths.Death | None) -> None:
    """The same under a clock, which kills it at ``death``."""
    clock = deaths.Clock(report, death)
    deaths.install(clock)
    train(config, work_dir)
    clock.write_counts()


def differences(whole: Path, other: Path) -> list[str]:
    """What differs between the ends of two runs."""
    ends = [tiny.read_checkpoint(place / 'epoch_9.pth') for place in (whole, other)]
    found = [key for key in KEYS if not tiny.same(ends[0][key], ends[1][key])]
    names = [ends[0]['dare']['file'], *(f'phase_{k}_student.pth' for k in (1, 2, 3))]
    return found + [
        name for name in names if (whole / name).read_bytes() != (other / name).read_bytes()
    ]


class Campaign:
    """One config, its uninterrupted runs, and the runs that die.

    Args:
        place: an empty directory.
        seed: of the moments.
    """

    def __init__(self, place: Path, seed: int) -> None:
        self.place, self.draw = place, random.Random(seed)
        self.log, self.config, self.whole = (place / n for n in ('log', 'config.py', 'whole'))
        tiny.tiny_config(tiny.make_clips(place / 'clips'), place).dump(self.config)
        counts = place / 'counts.json'
        processes.run(train_timed, self.log, self.config, self.whole, counts, None)
        self.moments = json.loads(counts.read_text())
        started = time.monotonic()
        processes.run(train, self.log, self.config, place / 'again')
        self.duration = time.monotonic() - started
        if found := differences(self.whole, place / 'again'):
            raise SystemExit(f'two uninterrupted runs differ in {found}')

    def run(self, number: int, turn: str) -> tuple[str, list[str]]:
        """Kills a run and resumes it.

        Returns:
            Where it died, and what differs at the end.
        """
        work_dir = self.place / f'run_{number}'
        if turn == ANY:
            died = ' and '.join(self._at_any_time(work_dir) for _ in range(2))
        else:
            died = self._inside(work_dir, turn)
        left = sorted(path.name for path in work_dir.glob('*.tmp'))
        processes.run(train, self.log, self.config, work_dir)
        return f'{died}; half-written: {left or "nothing"}', differences(self.whole, work_dir)

    def _at_any_time(self, work_dir: Path) -> str:
        seconds = self.draw.uniform(0.1, self.duration)
        process = processes.start(train, self.log, self.config, work_dir)
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.is_alive():
            time.sleep(SECONDS_BETWEEN_LOOKS)
        alive = process.is_alive()
        process.kill()
        process.join()
        return f'after {seconds:.2f} s' + ('' if alive else ', it had ended')

    def _inside(self, work_dir: Path, turn: str) -> str:
        visits = self.moments[turn]
        visit = self.draw.randint(1, len(visits))
        death = deaths.Death(turn, visit, self.draw.randint(1, visits[visit - 1]))
        report = self.place / 'report'
        args = self.config, work_dir, report, death
        processes.run_until_killed(train_timed, self.log, *args)
        of = f'visit {visit} of {len(visits)}, moment {death.moment} of {visits[visit - 1]}'
        return f'{turn}, {of} ({report.read_text()})'


def main() -> int:
    args = parse_args()
    begin, runs, unequal = time.monotonic(), Counter(), Counter()
    with tempfile.TemporaryDirectory() as name:
        campaign = Campaign(Path(name), args.seed)
        for number in range(args.runs):
            if args.time and time.monotonic() - begin > args.time:
                break
            turn = TURNS[number % len(TURNS)]
            died, found = campaign.run(number, turn)
            runs[turn] += 1
            unequal[turn] += bool(found)
            print(f'{number}: {died}: {found or "equal"}', flush=True)
    for turn in dict.fromkeys(TURNS):
        print(f'{turn}: {runs[turn]} runs, {unequal[turn]} with another end')
    return int(any(unequal.values()))


if __name__ == '__main__':
    sys.exit(main())
