"""Breaks each equation once and prints which faults the tests notice, as a Markdown table.

python -m tests.mutation.run [--jobs 2] [--only patch_loss dare/]

The package is copied to a temporary folder; the source is not touched. Exit code 1 if a fault
survives.
"""

import argparse
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mutation.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
PARTS = ('pmd_mmaction', 'tests', 'configs', 'tools', 'pyproject.toml')
VERDICTS = {pytest.ExitCode.OK: 'survived', pytest.ExitCode.TESTS_FAILED: 'killed'}


def run_tests(tests: str, folder: str) -> None:
    """Runs a test file of the copy in ``folder`` and ends this process with pytest's exit code."""
    os.chdir(folder)
    os.environ['PYTHONPATH'] = folder
    sys.path[:] = [folder, *(p for p in sys.path if Path(p).resolve() != ROOT)]
    for name in [n for n in sys.modules if n.partition('.')[0] == 'tests']:
        del sys.modules[name]  # so that the tests import those of the copy
    # A fault of equal length must not meet old bytecode, here or in a process that a test starts.
    sys.dont_write_bytecode = True
    os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os._exit(pytest.main(['-x', '-q', '-n0', '-p', 'no:cacheprovider', tests]))


def judge(tests: str, mutation: Mutation | None = None) -> str:
    """Whether a test file notices a fault; None: the package as it is."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, Path(folder, part))
        if mutation is not None:
            path = Path(folder, mutation.path)
            source = path.read_text(encoding='utf-8')
            if source.count(mutation.old) != 1:  # or the tests would judge sound code
                return 'not applied'
            path.write_text(source.replace(mutation.old, mutation.new), encoding='utf-8')
        # Forked, with the libraries imported; not of a Pool, whose processes may have no children.
        process = multiprocessing.get_context('fork').Process(
            target=run_tests, args=(tests, folder)
        )
        process.start()
        process.join()
    return VERDICTS.get(process.exitcode, f'broken ({process.exitcode})')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--jobs', type=int, default=2, help='processes')
    parser.add_argument('--only', nargs='+', default=[''], help='parts of names of files to break')
    args = parser.parse_args()
    chosen = [m for m in MUTATIONS if any(part in m.path for part in args.only)]

    # What costs time to import is imported once; the package itself is not.
    for library in ('mmengine.runner', 'timm', 'torch'):
        importlib.import_module(library)

    with ThreadPoolExecutor(args.jobs) as pool:
        files = sorted({m.tests for m in chosen})
        for tests, verdict in zip(files, pool.map(judge, files)):
            if verdict != 'survived':
                raise SystemExit(f'{tests} fails without any fault')
        print('| file | fault | tests | result |\n|---|---|---|---|')
        killed = Counter()
        for mutation, verdict in zip(chosen, pool.map(judge, [m.tests for m in chosen], chosen)):
            killed[mutation.path] += verdict == 'killed'
            path, tests = (Path(p).relative_to(Path(p).parts[0]) for p in mutation[3:])
            print(f'| {path} | {mutation.what} | {tests} | {verdict} |', flush=True)
    print('\n| file | faults | noticed |\n|---|---|---|')
    for path, faults in Counter(m.path for m in chosen).items():
        print(f'| {path} | {faults} | {killed[path]} |')
    print(f'\n{killed.total()} of {len(chosen)} killed')
    return int(killed.total() != len(chosen))


if __name__ == '__main__':
    sys.exit(main())
