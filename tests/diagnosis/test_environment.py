"""The installation and the machine: what is wrong is an error with a remedy."""

from collections import namedtuple
from importlib import metadata

import pytest
import torch

from pmd_mmaction import compat
from pmd_mmaction.diagnosis import environment
from pmd_mmaction.diagnosis.environment import (
    examine_backend,
    examine_duplicates,
    examine_environment,
    examine_requirements,
)

Usage = namedtuple('Usage', 'total used free')
GOOD = {'mmcv-lite': '2.1.0', 'opencv-python-headless': '4.10.0', 'decord': '0.6.0'}


def by_subject(findings):
    return {finding.subject: finding for finding in findings}


def test_here_nothing_is_wrong():
    findings = list(examine_environment())
    assert [finding for finding in findings if finding.level == 'error'] == []
    subjects = set(by_subject(findings))
    assert {'Python', 'mmcv', 'OpenCV', 'GPU', 'gloo'} <= subjects
    assert {f'fault {fault.name}' for fault in compat.status()} <= subjects
    assert not torch.distributed.is_initialized()


def test_what_is_fine_needs_no_remedy():
    findings = list(examine_environment())
    assert all(bool(finding.remedy) == (finding.level != 'ok') for finding in findings)


def test_versions_are_compared_with_what_is_declared(monkeypatch):
    needs = ['torch>=2.7', 'timm>=1.0', 'mmengine<1.0.0,>=0.10.0; extra == "a"', 'x; extra == "b"']
    monkeypatch.setattr(metadata, 'requires', lambda name: needs)
    found = by_subject(examine_requirements({'torch': '2.6.1', 'mmengine': '0.10.7'}))
    assert (found['torch'].level, found['timm'].level, found['mmengine'].level) == (
        'error',
        'error',
        'ok',
    )
    assert found['torch'].found == '2.6.1, wanted >=2.7'
    assert found['torch'].remedy == "pip install 'torch>=2.7'"
    assert found['timm'].found == 'not installed, wanted >=1.0'
    assert 'x' not in found


def test_a_source_tree_has_no_declaration(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, 'requires', absent)
    (finding,) = examine_requirements({})
    assert (finding.level, finding.remedy) == ('warning', 'pip install -e .')


@pytest.mark.parametrize(
    'more, subject',
    [
        ({'mmcv': '2.1.0'}, 'mmcv'),
        ({'opencv-python': '5.0'}, 'OpenCV'),
        ({'decord2': '3'}, 'decord'),
    ],
)
def test_two_that_own_the_same_files(more, subject):
    assert {finding.level for finding in examine_duplicates(GOOD)} == {'ok'}
    found = by_subject(examine_duplicates({**GOOD, **more}))
    bad = 'warning' if subject == 'OpenCV' else 'error'  # which was imported, so it works
    assert {s: f.level for s, f in found.items() if f.level != 'ok'} == {subject: bad}
    assert next(iter(more)) in found[subject].found
    assert 'pip uninstall' in found[subject].remedy


def test_decord_may_be_absent():
    found = by_subject(examine_duplicates({'mmcv': '2.1.0'}))
    assert (found['decord'].level, found['OpenCV'].level) == ('ok', 'error')


def test_a_fault_without_its_repair(monkeypatch):
    bad = compat.Status('drn-module', 'the wheel lacks it', present=True, repaired=False)
    monkeypatch.setattr(compat, 'status', lambda: [bad])
    finding = by_subject(examine_environment())['fault drn-module']
    assert finding.level == 'error' and finding.found == 'present: the wheel lacks it'


def test_a_backend_that_does_not_start():
    finding = examine_backend('nccl', 'look at its log')  # there is no GPU here
    assert (finding.level, finding.remedy) == ('error', 'look at its log')
    assert examine_backend('gloo', '').level == 'ok'


def test_little_shared_memory(monkeypatch):
    monkeypatch.setattr(environment.shutil, 'disk_usage', lambda path: Usage(0, 0, 64 * 2**20))
    finding = by_subject(examine_environment())['shared memory']
    assert finding.level == 'warning' and '--shm-size' in finding.remedy
    assert finding.found == '0.07 GB free in /dev/shm'


class FakeGroup:
    """Stands in for torch.distributed where there is no GPU."""

    def __init__(self, broken: str = ''):
        self.broken, self.calls = broken, []

    def is_initialized(self):
        return False

    def init_process_group(self, name, **options):
        self.calls.append(name)
        if self.broken == 'start':
            raise RuntimeError('NCCL error: unhandled system error\nmore')

    def all_reduce(self, tensor):
        if self.broken == 'sum':
            raise RuntimeError('CUDA driver version is insufficient')

    def destroy_process_group(self):
        self.calls.append('destroyed')

    HashStore = staticmethod(lambda: None)


@pytest.fixture
def two_gpus(monkeypatch):
    """Two GPUs that compute on the CPU."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda i: f'GPU-{i}')
    ones = torch.ones
    monkeypatch.setattr(torch, 'ones', lambda *size, device=None: ones(*size))


def test_gpus_and_nccl_that_work(two_gpus, monkeypatch):
    group = FakeGroup()
    monkeypatch.setattr(environment, 'distributed', group)
    found = by_subject(examine_environment())
    assert (found['GPU'].level, found['GPU'].found) == ('ok', '2 x GPU-0, GPU-1')
    assert (found['nccl'].level, found['nccl'].found) == ('ok', 'a group of one process works')
    assert group.calls == ['gloo', 'destroyed', 'nccl', 'destroyed']


@pytest.mark.parametrize(
    'broken, told, calls',
    [
        ('start', 'NCCL error: unhandled system error', ['nccl']),
        ('sum', 'CUDA driver version is insufficient', ['nccl', 'destroyed']),
    ],
)
def test_nccl_that_does_not_work(two_gpus, monkeypatch, broken, told, calls):
    group = FakeGroup(broken)
    monkeypatch.setattr(environment, 'distributed', group)
    finding = examine_backend('nccl', 'look at its log')
    assert (finding.level, finding.found, finding.remedy) == ('error', told, 'look at its log')
    assert group.calls == calls


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(environment.sys, 'version_info', (3, 9, 1))
    finding = next(examine_environment())
    assert (finding.level, finding.found) == ('error', '3.9.1') and '3.10' in finding.remedy
