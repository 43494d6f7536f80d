"""Kills a small run at random moments, resumes it, and compares the end bit for bit.

    python tests/faults/crash_campaign.py --runs 50

Each run is a real process that executes tools/train.py --resume and gets a SIGKILL at a random
moment; a second one goes on to the end. Prints one line per run and the counts.
"""

import argparse
import importlib.util
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.integration import processes, tiny  # noqa: E402

SECONDS_BETWEEN_LOOKS = 0.002
KEYS = ('state_dict', 'optimizer', 'param_schedulers', 'pmd', 'dare')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--time', type=float, help='start no run after so many seconds')
    return parser.parse_args()


def train(config: Path, work_dir: Path) -> None:
    """Runs tools/train.py in this process."""
    spec = importlib.util.spec_from_file_location('train', ROOT / 'tools' / 'train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    with tiny._quick():
        tool.main([str(config), '--work-dir', str(work_dir), '--resume'])


def differences(whole: Path, other: Path) -> list[str]:
    """What differs between the ends of two runs."""
    ends = [tiny.read_checkpoint(place / 'epoch_9.pth') for place in (whole, other)]
    found = [key for key in KEYS if not tiny.same(ends[0][key], ends[1][key])]
    names = [ends[0]['dare']['file'], *(f'phase_{k}_student.pth' for k in (1, 2, 3))]
    return found + [
        name for name in names if (whole / name).read_bytes() != (other / name).read_bytes()
    ]


def kill_after(process, seconds: float) -> bool:
    """Kills a process unless it ended before; says whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.is_alive():
        time.sleep(SECONDS_BETWEEN_LOOKS)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def where(work_dir: Path) -> str:
    """What a death left behind, in words."""
    names = [path.name for path in work_dir.glob('*')]
    for suffix, moment in (
        ('.pth.tmp', 'a student or checkpoint half written'),
        ('.table.tmp', 'a table half written'),
    ):
        if any(name.endswith(suffix) for name in names):
            return moment
    if not any(name.startswith('epoch_') for name in names):
        return 'before the first checkpoint'
    return 'elsewhere'


def main() -> int:
    args = parse_args()
    draw, begin = random.Random(args.seed), time.monotonic()
    counts, failures = Counter(), 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        clips = tiny.make_clips(place / 'clips')
        config = place / 'config.py'
        tiny.tiny_config(clips, place).dump(config)
        whole = place / 'whole'
        processes.run(train, place / 'log', config, whole)
        started = time.monotonic()
        processes.run(train, place / 'log', config, place / 'again')
        duration = time.monotonic() - started
        if found := differences(whole, place / 'again'):
            raise SystemExit(f'two uninterrupted runs differ in {found}')
        for number in range(args.runs):
            if args.time and time.monotonic() - begin > args.time:
                break
            work_dir = place / f'run_{number}'
            seconds = draw.uniform(0.1, duration)
            killed = kill_after(processes.start(train, place / 'log', config, work_dir), seconds)
            moment = where(work_dir) if killed else 'it had ended'
            processes.run(train, place / 'log', config, work_dir)
            found = differences(whole, work_dir)
            counts[moment] += 1
            failures += bool(found)
            print(
                f'{number}: killed after {seconds:.2f} s, {moment}: {found or "equal"}', flush=True
            )
    print(f'{sum(counts.values())} runs, {failures} with another end; {dict(counts)}')
    return int(failures > 0)


if __name__ == '__main__':
    sys.exit(main())
