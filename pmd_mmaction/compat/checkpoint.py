"""Reads checkpoints of the mmengine Runner without running code hidden in them.

Since torch 2.6 `torch.load` accepts tensors and plain containers only, but the Runner also saves
its log (`HistoryBuffer`) and numpy values. Torch's restricted unpickler is still used here, with
stand-ins for the few names that those objects need. The stand-ins accept data and
nothing else: the real `getattr` and numpy's own `__setstate__` are never reachable from a file.
"""

from __future__ import annotations

import errno
import io
import os
import pickle
import re
from argparse import Namespace
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from pmd_mmaction.compat.repair import Repair

MMENGINE_LOADER = 'mmengine.runner.checkpoint'
# What an unpickler raises when the stream is not a pickle, or has the wrong arguments.
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError)


class _DType:
    """Stands in for `numpy.dtype`: booleans and numbers, because objects hold pointers."""

    def __init__(self, code: Any, align: bool = False, copy: bool = True) -> None:
        # Without the pattern, a code such as 'f8,O' would name a record with objects inside.
        if not isinstance(code, str) or not re.fullmatch(r'b1|[iu][1248]|f(2|4|8)|c(8|16)', code):
            raise pickle.UnpicklingError(f'a numpy array of type {code!r} was refused')
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _, order, *rest = state
        if order not in ('<', '>', '=', '|') or any(part is not None for part in rest[:3]):
            raise pickle.UnpicklingError('a numpy array with fields was refused')
        self.value = self.value.newbyteorder(order)


class _Array:
    """Stands in for an array between the two steps in which pickle builds it."""

    value = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, raw = state
        order = 'F' if fortran else 'C'
        # numpy checks the length of `raw`; copied because a view of bytes cannot be written.
        self.value = np.ndarray(shape, dtype.value, buffer=raw, order=order).copy(order)


class _History(HistoryBuffer):
    """Stands in for `HistoryBuffer` and turns into one as soon as it has its numbers."""

    def __init__(self, *args: Any) -> None:
        raise pickle.UnpicklingError('a HistoryBuffer that is built with arguments was refused')

    def __setstate__(self, state: dict) -> None:
        # Its `statistics_methods` are functions of the class, known without the file.
        log, count, length = state['_log_history'], state['_count_history'], state['max_length']
        if not (isinstance(log, _Array) and isinstance(count, _Array) and isinstance(length, int)):
            raise pickle.UnpicklingError('a HistoryBuffer without its arrays was refused')
        super().__init__([], [], length)
        self._log_history, self._count_history = log.value, count.value
        self.__class__ = HistoryBuffer


def _array(*args: Any) -> _Array:
    return _Array()


def _scalar(dtype: _DType, raw: bytes) -> np.generic:
    return np.frombuffer(raw, dtype.value, count=1)[0]


def _getattr(owner: Any, name: str) -> None:
    """Answers the references to statistics methods, which `_History` throws away."""
    if owner is not _History or name not in HistoryBuffer._statistics_methods:
        raise pickle.UnpicklingError('Unsupported global: GLOBAL builtins.getattr')


def _runner_globals() -> AbstractContextManager:
    names: list[tuple[Any, str]] = [
        (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_getattr, 'builtins.getattr'),
        (_Array, 'numpy.ndarray'),
        (_DType, 'numpy.dtype'),
        (bytes, 'builtins.bytes'),  # the content of an empty array
        # MAE, VideoMAE and MVD save their command line; it is a bag of attributes, no more
        (Namespace, 'argparse.Namespace'),
    ]
    for core in ('numpy.core', 'numpy._core'):  # the old and the new name of one module
        names.append((_array, f'{core}.multiarray._reconstruct'))
        names.append((_scalar, f'{core}.multiarray.scalar'))
    return torch.serialization.safe_globals(names)


def _finish(value: Any) -> Any:
    """Replaces the stand-ins for numpy objects that are left in the containers."""
    if isinstance(value, (_Array, _DType)):
        return value.value
    if isinstance(value, dict):
        for key in value:
            value[key] = _finish(value[key])
    elif isinstance(value, list):
        value[:] = [_finish(item) for item in value]
    elif type(value) is tuple:
        return tuple(_finish(item) for item in value)
    return value


def _refusal(filename: str, error: Exception) -> pickle.UnpicklingError:
    text = str(error)
    found = re.search(r'GLOBAL (\S+)', text)
    if found:
        what = f'it refers to {found.group(1)!r}, which may run code'
    else:
        what = text.split('WeightsUnpickler error:')[-1].split('\n\nCheck the doc')[0].strip()
    return pickle.UnpicklingError(
        f'{filename} was not loaded: {what}. If you trust the file, load it once with '
        'torch.load(..., weights_only=False) and save its "state_dict" alone; if it is your own '
        'class, allow it with torch.serialization.add_safe_globals before the Runner is built.'
    )


def _load_safetensors(filename: str, map_location: Any) -> dict[str, torch.Tensor]:
    from safetensors.torch import load, load_file

    device = map_location if isinstance(map_location, (str, torch.device)) else 'cpu'
    try:
        filename.encode()
    except UnicodeEncodeError:  # safetensors opens no path that is no UTF-8
        with open(filename, 'rb') as file:
            return {name: tensor.to(device) for name, tensor in load(file.read()).items()}
    return load_file(filename, device=str(device))


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Loads a `.safetensors` or torch file from disk and refuses anything that is not data.

    Nothing is memory-mapped: an optimizer keeps the tensors of the checkpoint it resumes from,
    and the next checkpoint may overwrite that file under them.

    Args:
        filename: Path of the file.
        map_location: Same as in `torch.load`.

    Returns:
        The content of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If the file holds anything that may run code.
        RuntimeError: If the file is incomplete.
    """
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f'There is no checkpoint {filename}. Check the path.')
    if filename.endswith('.safetensors'):
        return _load_safetensors(filename, map_location)
    try:
        with _runner_globals():
            return _finish(torch.load(filename, map_location=map_location, weights_only=True))
    except pickle.UnpicklingError as error:
        with open(filename, 'rb') as file:
            if file.read(256).lstrip().startswith(b'<'):
                raise pickle.UnpicklingError(
                    f'{filename} is a web page, not a checkpoint: download the file itself'
                ) from None
        raise _refusal(filename, error) from None
    except (EOFError, OSError, RuntimeError, *_MALFORMED) as error:
        # Other errors, such as a missing or full device, explain themselves.
        if isinstance(error, RuntimeError) and 'PytorchStreamReader' not in str(error):
            raise
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise RuntimeError(
            f'{filename} is incomplete or not a checkpoint ({type(error).__name__}: {error}). A '
            'run that was killed while saving leaves such a file; use the checkpoint before it.'
        ) from error


def runner_checkpoints_are_refused() -> bool:
    """Whether mmengine's own loader is in charge and cannot read what the Runner saves."""
    loader = CheckpointLoader._schemes.get('')
    if loader is None or loader.__module__ != MMENGINE_LOADER:
        return False
    # Names of keyword arguments are constants of a function: it already chooses for itself.
    if 'weights_only' in str(loader.__code__.co_consts):
        return False
    stream = io.BytesIO()
    torch.save(HistoryBuffer(), stream)
    stream.seek(0)
    try:
        torch.load(stream, map_location='cpu')
    except pickle.UnpicklingError:
        return True
    return False


def register_loader() -> None:
    """Makes `load_from_local` the loader for all local paths."""
    CheckpointLoader.register_scheme(prefixes='', loader=load_from_local, force=True)


REPAIRS = (
    Repair(
        'checkpoint-loading',
        'mmengine cannot read its own checkpoints with torch >= 2.6',
        runner_checkpoints_are_refused,
        register_loader,
    ),
)
