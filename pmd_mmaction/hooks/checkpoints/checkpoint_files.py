"""Checkpoints in a directory: the newest, and whether it is complete."""

import os
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader

from pmd_mmaction.hooks.difficulty.table_names import table_damage
from pmd_mmaction.storage.atomic_file import write_file
from pmd_mmaction.storage.digest import sha256_of

NOTE = 'last_checkpoint'
BEGINNING = 'resumed_from'
_NAME = re.compile(r'(?:epoch_(\d+)(?:_iter_(\d+))?|iter_(\d+))\.pth')
# What zipfile raises for archives whose bytes were changed.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
)


def note_checkpoint(work_dir: Path, path: Path) -> None:
    """Writes ``last_checkpoint``, relative to its own directory, before the checkpoint itself.

    The search for the newest checkpoint goes backwards from there: later files of another attempt
    are ignored, and if the named checkpoint was never finished, the one before it is used.
    """
    _point(Path(work_dir) / NOTE, path)


def note_beginning(work_dir: Path, path: Path | None) -> None:
    """Writes which checkpoint a run was told to go on from; None: it begins from scratch.

    The checkpoints that are there are noted too: until this run overwrites them
    (:func:`claim_checkpoint`), they are of another attempt.
    """
    work_dir = Path(work_dir)
    if path is None:
        (work_dir / BEGINNING).unlink(missing_ok=True)
        return
    found = {file.name for folder in (work_dir, path.parent) for file in folder.glob('*.pth')}
    _write_beginning(work_dir, os.path.relpath(path, work_dir), found)
    note_checkpoint(work_dir, path)


def claim_checkpoint(work_dir: Path, name: str) -> None:
    """Notes that this run has written a checkpoint, if another attempt had one of that name."""
    begun, *foreign = _text(Path(work_dir) / BEGINNING).split('\n')
    if name in foreign:
        _write_beginning(Path(work_dir), begun, {*foreign} - {name})


def _write_beginning(work_dir: Path, begun: str, foreign: set[str]) -> None:
    write_file(work_dir / BEGINNING, os.fsencode('\n'.join([begun, *sorted(foreign)])))


def list_checkpoints(work_dir: Path) -> list[Path]:
    """Checkpoints to resume from, newest first; those after ``last_checkpoint`` are left out.

    Args:
        work_dir: work directory of the run; checkpoints may be elsewhere if
            ``last_checkpoint`` says so, and are found here if the directory was moved. Its own come
            first, then the one that it was told to go on from and those before that.
    """
    work_dir = Path(work_dir)
    noted, begun = _pointer(work_dir / NOTE), _pointer(work_dir / BEGINNING)
    own = _up_to(noted, [work_dir, *([noted.parent] if noted else [])])
    if begun is None or not begun.is_file():
        return own
    foreign = _text(work_dir / BEGINNING).split('\n')[1:]
    own = [path for path in own if path.name not in foreign]
    return own + [path for path in _up_to(begun, [begun.parent]) if path not in own]


def _up_to(last: Path | None, directories: list[Path]) -> list[Path]:
    """The checkpoints of the first directory that has any, newest first, later ones left out."""
    for directory in directories:
        if last and (directory / last.name).is_file() and _position(last) is None:
            return [directory / last.name]  # under a name of the user's own
        found = {path: _position(path) for path in directory.glob('*.pth')}
        places = {path: place for path, place in found.items() if place is not None}
        end = _position(last) if last else None
        if places:
            kept = [path for path, place in places.items() if end is None or place <= end]
            return sorted(kept, key=places.get, reverse=True)
    return []


def _point(note: Path, path: Path) -> None:
    write_file(note, os.fsencode(os.path.relpath(path, note.parent)))


def _pointer(note: Path) -> Path | None:
    text = _text(note).partition('\n')[0]
    return note.parent / text if text else None  # an absolute path stays as it is


def _text(note: Path) -> str:
    return os.fsdecode(note.read_bytes()).strip() if note.is_file() else ''


def newest_complete(work_dir: Path, warn: Callable[[str], None]) -> Path | None:
    """The newest checkpoint that is undamaged, with all the files it names.

    Args:
        work_dir: the directory of the run.
        warn: called with each checkpoint that is skipped, and why.

    Returns:
        The checkpoint; None if there is none at all.

    Raises:
        ValueError: if there are checkpoints, but no complete one, or none on a disk.
    """
    noted = _text(work_dir / NOTE)
    if '://' in noted:
        raise ValueError(
            f'{work_dir / NOTE} names {noted}, which is on no disk: copy it to one and give its '
            'path to --resume'
        )
    paths = list_checkpoints(work_dir)
    for path in paths:
        problem = file_damage(path) or companion_damage(path, work_dir)
        if problem is None:
            return path
        warn(f'{path} is not used, going back to the checkpoint before it: {problem}')
    if paths:
        raise ValueError(
            f'none of the {len(paths)} checkpoint(s) in {paths[0].parent} is complete; the last '
            f'one tried: {problem}. Restore their files, or move them away to start afresh'
        )
    return None


def file_damage(path: Path) -> str | None:
    """How a checkpoint file is damaged; None if it is not.

    torch.save writes a CRC-32 of every tensor, but torch.load does not look at it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
        _without_tensors(path)  # torch is stricter than zipfile about the archive's structure
    except _UNREADABLE as error:
        return f'{path} is cut short or changed ({type(error).__name__}: {error})'
    return None if part is None else f'{path} was changed after it was written (at {part})'


def companion_damage(path: Path, work_dir: Path) -> str | None:
    """How the files that a checkpoint names are damaged; None if all are present and intact."""
    content = _without_tensors(path)
    if table := content.get('dare'):
        if problem := table_damage(path.parent / table['file'], table['digest']):
            return problem
    student = content.get('pmd', {})
    if name := student.get('auxiliary_file'):
        places = [place / name for place in (path.parent, Path(work_dir))]
        found = [place for place in places if place.is_file()]
        if not found:
            return f'{places[0]}, its auxiliary teacher, does not exist'
        if sha256_of(found[0]) != student['auxiliary_sha256']:
            return f'{found[0]} is not the auxiliary teacher it was trained with'
    return None


def require_training_state(checkpoint: Mapping, runner) -> None:
    """Refuses to resume from weights alone, with which MMEngine would begin rates and moments anew.

    Args:
        checkpoint: the content of a file.
        runner: its optimiser and schedulers are built.

    Raises:
        ValueError: naming what is missing.
    """
    meta = checkpoint.get('meta', {})
    missing = [key for key in ('epoch', 'iter') if key not in meta]
    wanted = ['optimizer', *(['param_schedulers'] if runner.param_schedulers else [])]
    missing += [key for key in wanted if key not in checkpoint]
    if missing:
        raise ValueError(
            f'{runner._load_from} has no {", ".join(missing)}: it holds weights only (student.pth, '
            'best_*.pth, or saved with save_optimizer=False or save_param_scheduler=False). Resume '
            'from epoch_*.pth, or start afresh from its weights with load_from and resume=False'
        )


def _without_tensors(path: Path) -> dict:
    """Content of a checkpoint, with tensors on the meta device."""
    return CheckpointLoader.load_checkpoint(str(path), map_location='meta', logger='silent')


def remove_unfinished(directory: Path) -> None:
    """Removes the partial checkpoints and tables that a killed process left behind."""
    for pattern in ('*.pth.tmp', 'difficulty_*.table.tmp'):
        for path in directory.glob(pattern):
            path.unlink()


def can_be_found(name: str) -> bool:
    """Whether a resumed run takes a file of this name for a checkpoint."""
    return _NAME.fullmatch(name) is not None


def _position(path: Path) -> tuple[int, int] | None:
    """Epochs and iterations done, for comparison only; None for other files."""
    match = _NAME.fullmatch(path.name)
    return match and tuple(int(number or 0) for number in (match[1], match[2] or match[3]))
