"""Runs a script as its command does, in a fork of this process: its imports are there already."""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from mmengine.registry import DefaultScope


def run_script(words: Sequence[str | Path], cwd: Path) -> subprocess.CompletedProcess:
    """Runs a command that begins with a script or with ``-m`` and a module.

    Args:
        words: the command without ``python``.
        cwd: the working directory.

    Returns:
        Exit status and text output.
    """
    with TemporaryFile('w+') as out, TemporaryFile('w+') as err:
        fork = multiprocessing.get_context('fork')
        child = fork.Process(
            target=_run, args=([*map(str, words)], cwd, out.fileno(), err.fileno())
        )
        child.start()
        child.join()
        texts = [file.seek(0) or file.read() for file in (out, err)]
    return subprocess.CompletedProcess(words, child.exitcode, *texts)


def _run(words: list[str], cwd: Path, out: int, err: int) -> None:
    """As an interpreter that has just started; multiprocessing handles what it ends with."""
    for number, file, name in ((1, out, 'stdout'), (2, err, 'stderr')):
        os.dup2(file, number)
        setattr(sys, name, os.fdopen(number, 'w', closefd=False))  # not where pytest writes
    DefaultScope._instance_dict = OrderedDict()  # the script has to choose MMEngine's scope
    os.chdir(cwd)
    if words[0] == '-m':
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
        runpy.run_path(words[0], run_name='__main__')
