"""Copies between host and GPU for which the host does not wait.

Only page-locked (pinned) host memory is copied while the host goes on; PyTorch keeps such memory
for the next iteration. On a machine without a GPU everything is a plain copy, or none.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device.

    Args:
        tensor: Any tensor on the host; one that a data loader has pinned is not copied again.
        device: Where it goes.

    Returns:
        It, of the same dtype and shape, on the device.
    """
    pinned = tensor.pin_memory() if _can_pin(device) else tensor
    return pinned.to(device, non_blocking=True)


def send_stacked(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Tensors of the host, stacked, in one copy.

    Args:
        tensors: B tensors of one shape on the host.
        device: Where they go.

    Returns:
        (B, ...) on the device, of the dtype that holds all of theirs.
    """
    shape = (len(tensors), *tensors[0].shape)
    dtype = reduce(torch.promote_types, [tensor.dtype for tensor in tensors])
    stacked = torch.empty(shape, dtype=dtype, pin_memory=_can_pin(device))
    return torch.stack(list(tensors), out=stacked).to(device, non_blocking=True)


class HostCopy:
    """Tensors on their way from a device to the host.

    Args:
        *tensors: On one device; nobody changes them until they have arrived.
    """

    def __init__(self, *tensors: Tensor) -> None:
        # Asked for without waiting, PyTorch pins the memory of the copy itself.
        self._copies = [tensor.to('cpu', non_blocking=True) for tensor in tensors]
        self._event = None
        if tensors[0].device.type == 'cuda':
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(tensors[0].device))

    def wait(self) -> list[np.ndarray]:
        """The tensors as arrays; waits until the device has come so far."""
        if self._event is not None:
            self._event.synchronize()
        return [copy.numpy() for copy in self._copies]


def _can_pin(device: torch.device) -> bool:
    return torch.device(device).type == 'cuda' and torch.cuda.is_available()
