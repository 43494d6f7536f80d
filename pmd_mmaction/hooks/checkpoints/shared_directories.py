"""Checks that all nodes share the directories through which ranks exchange files."""

import os
import platform
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import all_gather_object, is_main_process
from mmengine.runner import BaseLoop

from pmd_mmaction.hooks.main_process import from_main_process

PATIENCE = 30.0  # seconds until a network file system shows a new file
PAUSE = 0.2


class Place(NamedTuple):
    """What a directory is to a run, and how to let all nodes share it."""

    name: str
    remedy: str


WORK = Place(
    'work directory',
    'Give --work-dir a directory that all nodes share, such as an absolute path on a network file '
    'system (docs/scaling.md)',
)
CURRENT = Place(
    'current directory',
    'Evaluators exchange their results through it: start in a directory that all nodes share, or '
    "set collect_device='gpu' in val_evaluator and test_evaluator",
)


def require_shared_directories(runner, patience: float = PATIENCE) -> None:
    """Refuses a run in which a rank does not see what the main process writes. Collective.

    A training has a work directory; evaluators whose ``collect_device`` is ``'cpu'`` use the
    current directory, at the end of an evaluation.

    Args:
        runner: its loops are built.
        patience: seconds until a file has to appear.

    Raises:
        ValueError: on every rank, naming the nodes and directories.
    """
    if isinstance(runner._train_loop, BaseLoop):
        _require(Path(runner.work_dir), WORK, patience)
    loops = [loop for loop in (runner._val_loop, runner._test_loop) if isinstance(loop, BaseLoop)]
    metrics = [metric for loop in loops for metric in loop.evaluator.metrics]
    if any(metric.collect_device == 'cpu' and metric.collect_dir is None for metric in metrics):
        _require(Path.cwd(), CURRENT, patience)


def _require(directory: Path, place: Place, patience: float) -> None:
    """The main process writes a file of a random name there, and every rank looks for it."""
    name, error = from_main_process(lambda: _write(directory))
    if error is not None:
        raise ValueError(f'the main process cannot write to its {place.name}: {error}')
    here = f'{directory.absolute()} on {platform.node()}'
    unseen = all_gather_object(None if _appears(directory / name, patience) else here)
    if is_main_process():
        (directory / name).unlink(missing_ok=True)
    unseen = sorted(set(filter(None, unseen)))
    if unseen:
        raise ValueError(
            f'the {place.name} is not the same for all processes: what the main process writes '
            f'does not appear in {", ".join(unseen)}. {place.remedy}'
        )


def _write(directory: Path) -> list[str | None]:
    """Name of the new file and None, or None and the reason."""
    name = f'.shared_{uuid.uuid4().hex}'
    try:
        (directory / name).touch()
    except OSError as error:
        return [None, str(error)]
    return [name, None]


def _appears(path: Path, patience: float) -> bool:
    """Waits for a file; a listing makes a network file system look again."""
    end = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
        if path.parent.is_dir():
            os.listdir(path.parent)
    return True
