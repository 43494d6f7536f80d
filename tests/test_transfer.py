"""Copies between host and device, here without a GPU: what arrives, and what is asked for."""

from unittest import mock

import numpy as np
import pytest
import torch

from pmd_mmaction import transfer
from pmd_mmaction.transfer import HostCopy, send, send_stacked

CPU = torch.device('cpu')
CLIPS = [torch.randint(256, (1, 3, 4), dtype=torch.uint8) for _ in range(5)]


def test_what_is_sent_arrives():
    clip = CLIPS[0]
    assert send(clip, CPU) is clip
    assert torch.equal(send_stacked(CLIPS, CPU), torch.stack(CLIPS))
    assert send_stacked(CLIPS, 'cpu').dtype == torch.uint8


def test_copies_for_the_host_are_arrays():
    numbers, flags = HostCopy(torch.arange(6).view(3, 2), torch.tensor([True, False])).wait()
    assert np.array_equal(numbers, [[0, 1], [2, 3], [4, 5]])
    assert flags.tolist() == [True, False]


@pytest.fixture
def calls(monkeypatch):
    """What would be asked of a GPU, in order."""
    noted = []

    def to(tensor, device, non_blocking=False):
        noted.append(('to', str(device), tuple(tensor.shape), tensor.dtype, non_blocking))
        return tensor

    def pin_memory(tensor):
        noted.append(('pin',))
        return tensor

    def empty(*args, pin_memory=False, **kwargs):
        noted.extend([('pin',)] * pin_memory)
        return made(*args, **kwargs)

    made = torch.empty
    monkeypatch.setattr(torch, 'empty', empty)
    monkeypatch.setattr(torch.Tensor, 'to', to)
    monkeypatch.setattr(torch.Tensor, 'pin_memory', pin_memory)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    return noted


def test_nothing_is_sent_from_pageable_memory(calls):
    send(CLIPS[0], torch.device('cuda', 0))
    assert calls == [('pin',), ('to', 'cuda:0', (1, 3, 4), torch.uint8, True)]


def test_a_stack_goes_over_in_one_copy(calls):
    assert torch.equal(send_stacked(CLIPS, torch.device('cuda')), torch.stack(CLIPS))
    assert calls == [('pin',), ('to', 'cuda', (5, 1, 3, 4), torch.uint8, True)]


def test_the_host_is_left_alone_without_a_gpu(calls):
    send(CLIPS[0], CPU)
    assert calls == [('to', 'cpu', (1, 3, 4), torch.uint8, True)]


def test_a_copy_from_a_gpu_is_waited_for_when_it_is_read(monkeypatch):
    """The event stands behind the copies; nothing waits before somebody reads."""
    order = []
    tensor = mock.MagicMock(device=torch.device('cuda', 1))
    tensor.to.side_effect = lambda *args, **kwargs: order.append((*args, kwargs)) or mock.Mock()
    event = mock.Mock()
    event.record.side_effect = lambda stream: order.append(f'record {stream}')
    event.synchronize.side_effect = lambda: order.append('wait')
    monkeypatch.setattr(transfer.torch.cuda, 'Event', lambda: event)
    monkeypatch.setattr(transfer.torch.cuda, 'current_stream', lambda device: f'stream of {device}')
    copies = HostCopy(tensor, tensor)
    assert order == [('cpu', dict(non_blocking=True))] * 2 + ['record stream of cuda:1']
    copies.wait()
    assert order[3:] == ['wait']
