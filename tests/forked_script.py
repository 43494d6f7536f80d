"""Runs a script as its command does, in a process that need not import everything again."""

import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.integration import processes


def run_script(words: Sequence[str | Path], cwd: Path) -> subprocess.CompletedProcess:
    """Runs a command that begins with a script or with ``-m`` and a module.

    Args:
        words: the command without ``python``.
        cwd: the working directory.

    Returns:
        Exit status and text output.
    """
    with TemporaryDirectory() as folder:
        out, err, log = (Path(folder, name) for name in ('out', 'err', 'log'))
        process = processes.start(_run, log, [*map(str, words)], cwd, out, err)
        try:
            process.join(processes.TIMEOUT)
        finally:
            process.kill()
            process.join()
        texts = [path.read_text() if path.is_file() else '' for path in (out, err)]
    return subprocess.CompletedProcess(words, process.exitcode, *texts)


def _run(words: list[str], cwd: Path, out: Path, err: Path) -> None:
    """Multiprocessing turns an error or SystemExit into output and exit status, as Python does."""
    for number, path, name in ((1, out, 'stdout'), (2, err, 'stderr')):
        file = path.open('w')
        os.dup2(file.fileno(), number)
        setattr(sys, name, file)
    os.chdir(cwd)
    if words[0] == '-m':
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
        runpy.run_path(words[0], run_name='__main__')
