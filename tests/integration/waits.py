"""Counts what makes the host wait for the device, on a machine without one.

On the CPU every operation ends before the next begins, so what is counted are the calls that would
wait on a GPU: those that hand a value of a tensor to Python, and those whose result has a size that
only the values tell. Copies that nobody waits for (`non_blocking=True`) do not count.
"""

import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

METHODS = ('tolist', 'numpy', 'cpu', '__array__')
OPERATORS = ('_local_scalar_dense', 'nonzero', 'masked_select', '_unique2', 'equal', 'is_nonzero')


class Operators(TorchDispatchMode):
    """Notes operators; `item`, `bool`, `float`, `int` and indexing with a mask end in these."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in OPERATORS or (name == 'index' and _has_mask(args[1])):
            self.waits.append(_where(name))
        return func(*args, **(kwargs or {}))


@contextmanager
def host_waits() -> Iterator[list[str]]:
    """The waits of what runs inside: what was called, and the lines that did it."""
    waits: list[str] = []
    with ExitStack() as stack:
        inside = []  # numpy() for __array__ is one wait
        for name in METHODS:
            method = _noting(getattr(torch.Tensor, name), name, waits, inside)
            stack.enter_context(mock.patch.object(torch.Tensor, name, method))
        to = _noting(torch.Tensor.to, 'to', waits, inside, _is_awaited)
        stack.enter_context(mock.patch.object(torch.Tensor, 'to', to))
        stack.enter_context(Operators(waits))
        yield waits


def _noting(method, name, waits, inside, counts=lambda *args, **kwargs: True):
    def noted(*args, **kwargs):
        if not inside and counts(*args, **kwargs):
            waits.append(_where(name))
        inside.append(name)
        try:
            return method(*args, **kwargs)
        finally:
            inside.pop()

    return noted


def _is_awaited(tensor, *args, non_blocking=False, **kwargs):
    target = kwargs.get('device', args[0] if args else None)
    named = isinstance(target, (str, torch.device)) and torch.device(target).type == 'cpu'
    return named and not non_blocking and tensor.device.type != 'cpu'


def _has_mask(indices) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


def _where(name: str) -> str:
    frames = traceback.extract_stack()[:-2]
    lines = [f'{frame.filename}:{frame.lineno}' for frame in frames[-4:]]
    return f'{name} in ' + ' < '.join(reversed(lines))
