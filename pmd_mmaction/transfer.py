"""Copies between host and GPU that the host does not wait for.

Only page-locked (pinned) host memory is copied asynchronously; PyTorch caches such memory for the
next iteration. On a machine without a GPU everything is a plain copy, or none.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copies a host tensor to a device.

    Args:
        tensor: Any host tensor; one that a data loader has pinned is not pinned again.
        device: Target device.

    Returns:
        The tensor on the device, of the same dtype and shape.
    """
    pinned = tensor.pin_memory() if _can_pin(device) else tensor
    return pinned.to(device, non_blocking=True)


def send_stacked(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Stacks host tensors and copies them to a device in one transfer.

    Args:
        tensors: B host tensors of one shape.
        device: Target device.

    Returns:
        (B, ...) on the device, of their promoted dtype.
    """
    shape = (len(tensors), *tensors[0].shape)
    dtype = reduce(torch.promote_types, [tensor.dtype for tensor in tensors])
    stacked = torch.empty(shape, dtype=dtype, pin_memory=_can_pin(device))
    return torch.stack(list(tensors), out=stacked).to(device, non_blocking=True)


class HostCopy:
    """An asynchronous copy of tensors from a device to the host.

    Args:
        *tensors: Tensors on one device; they must not change until the copy is complete.
    """

    def __init__(self, *tensors: Tensor) -> None:
        # For a non-blocking copy PyTorch pins the target memory itself.
        self._copies = [tensor.to('cpu', non_blocking=True) for tensor in tensors]
        self._event = None
        if tensors[0].device.type == 'cuda':
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(tensors[0].device))

    def wait(self) -> list[np.ndarray]:
        """Waits for the copy; returns the tensors as arrays."""
        if self._event is not None:
            self._event.synchronize()
        return [copy.numpy() for copy in self._copies]


def _can_pin(device: torch.device) -> bool:
    return torch.device(device).type == 'cuda' and torch.cuda.is_available()
