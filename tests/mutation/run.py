"""Breaks each equation once and prints which faults the tests notice, as a Markdown table.

python tests/mutation/run.py [--jobs 2] [--only patch_loss]

The package is copied to a temporary folder; the source is not touched. Exit code 1 if a fault
survives.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
PARTS = ('pmd_mmaction', 'tests', 'configs', 'tools', 'pyproject.toml')
VERDICTS = {pytest.ExitCode.OK: 'survived', pytest.ExitCode.TESTS_FAILED: 'killed'}


def run_tests(tests: str, mutation: Mutation | None) -> str:
    """Runs a test file on a copy with a fault; must be called in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, Path(folder, part))
        if mutation is not None:
            path = Path(folder, mutation.path)
            source = path.read_text(encoding='utf-8')
            path.write_text(source.replace(mutation.old, mutation.new), encoding='utf-8')
        os.chdir(folder)
        os.environ['PYTHONPATH'] = folder
        sys.path[:] = [folder, *(p for p in sys.path if Path(p).resolve() != ROOT)]
        sys.dont_write_bytecode = True  # a fault of equal length must not meet old bytecode
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = pytest.main(['-x', '-q', '-n0', '-p', 'no:cacheprovider', tests])
        os.chdir(ROOT)
    return VERDICTS.get(code, f'broken ({code})')


def judge(mutation: Mutation) -> str:
    """Whether the tests notice a fault."""
    return run_tests(mutation.tests, mutation)


def check_sound(tests: str) -> tuple[str, str]:
    """A test file and its verdict on the package without a fault."""
    return tests, run_tests(tests, None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--jobs', type=int, default=2, help='processes')
    parser.add_argument('--only', default='', help='files of the package whose name contains this')
    args = parser.parse_args()
    chosen = [m for m in MUTATIONS if args.only in m.path]

    # What costs time to import is imported once; the package itself is not.
    import mmengine.runner
    import timm
    import torch  # noqa: F401

    context = multiprocessing.get_context('fork')
    with context.Pool(args.jobs, maxtasksperchild=1) as pool:
        for tests, verdict in pool.imap(check_sound, sorted({m.tests for m in chosen}), 1):
            if verdict != 'survived':
                raise SystemExit(f'{tests} fails without any fault')
        print('| file | fault | tests | result |\n|---|---|---|---|')
        killed = 0
        for mutation, verdict in zip(chosen, pool.imap(judge, chosen, 1)):
            killed += verdict == 'killed'
            path, tests = (Path(p).relative_to(Path(p).parts[0]) for p in mutation[3:])
            print(f'| {path} | {mutation.what} | {tests} | {verdict} |', flush=True)
    print(f'\n{killed} of {len(chosen)} killed')
    return int(killed != len(chosen))


if __name__ == '__main__':
    sys.exit(main())
