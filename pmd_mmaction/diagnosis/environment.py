"""Checks of the installation and the machine."""

import shutil
import sys
from importlib import metadata
from typing import Iterator

import torch
from packaging.requirements import Requirement
from torch import distributed

from pmd_mmaction import compat
from pmd_mmaction.compat.cpu_launch import unseen_gpus
from pmd_mmaction.diagnosis.finding import Finding, first_line, in_gb, judge
from pmd_mmaction.runner.shared_memory import SHARED_MEMORY

PACKAGE = 'pmd-mmaction'
# mmengine and mmaction2 are checked at import of the plugin; here their versions are listed.
STACK = ('mmengine', 'mmaction2')
# The minimum for data loader workers; a container's default is 64 MB.
MIN_SHARED_BYTES = 10**9


def examine_environment() -> Iterator[Finding]:
    """Versions, known faults of the stack, accelerators, communication, shared memory."""
    version = '.'.join(map(str, sys.version_info[:3]))
    yield judge('Python', sys.version_info >= (3, 10), version, 'install Python 3.10 or newer')
    installed: dict[str, str] = {}
    for dist in metadata.distributions():  # in the order of sys.path: the first is imported
        installed.setdefault((dist.metadata['Name'] or '').lower().replace('_', '-'), dist.version)
    yield from examine_requirements(installed)
    yield from examine_duplicates(installed)
    for fault in compat.status():
        yield judge(
            f'fault {fault.name}',
            fault.repaired or not fault.present,
            ('repaired: ' if fault.repaired else 'present: ' if fault.present else 'absent: ')
            + fault.fault,
            'import pmd_mmaction before mmaction.models (custom_imports in the config does)',
        )
    yield from examine_devices()
    yield examine_backend('gloo', 'set GLOO_SOCKET_IFNAME to a network interface that is up')
    if torch.cuda.is_available():
        yield examine_backend('nccl', 'set NCCL_DEBUG=INFO and NCCL_SOCKET_IFNAME, look at its log')
    if SHARED_MEMORY.is_dir():
        free = shutil.disk_usage(SHARED_MEMORY).free
        yield judge(
            'shared memory',
            free >= MIN_SHARED_BYTES,
            f'{in_gb(free)} free in {SHARED_MEMORY}',
            'enlarge it (docker: --shm-size=16g), or use num_workers=0',
            'warning',
        )


def examine_requirements(installed: dict[str, str]) -> Iterator[Finding]:
    """Checks the versions of the declared requirements.

    Args:
        installed: name of a distribution, in lower case, to its version.
    """
    try:
        declared = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        yield Finding(PACKAGE, 'warning', 'runs from its source', 'pip install -e .')
        return
    for need in declared:
        if need.marker is not None and need.name not in STACK:
            continue  # tests, demo, ...
        found = installed.get(need.name.lower())
        yield judge(
            need.name,
            found is not None and need.specifier.contains(found, prereleases=True),
            f'{found or "not installed"}, wanted {need.specifier}',
            f"pip install '{need.name}{need.specifier}'",
        )


def examine_duplicates(installed: dict[str, str]) -> Iterator[Finding]:
    """Distributions that overwrite each other's files.

    Args:
        installed: name of a distribution, in lower case, to its version.
    """
    for subject, words, remedy in (
        (
            'mmcv',
            [name for name in installed if name in ('mmcv', 'mmcv-lite')],
            'pip uninstall -y mmcv mmcv-lite; pip install mmcv-lite==2.1.0',
        ),
        (
            'OpenCV',
            [name for name in installed if name.startswith('opencv-')],
            'pip uninstall -y all of them; pip install opencv-python-headless',
        ),
        (
            'decord',
            [name for name in installed if name in ('decord', 'decord2')],
            'pip uninstall -y decord decord2; pip install decord',
        ),
    ):
        found = ', '.join(f'{name} {installed[name]}' for name in sorted(words)) or 'not installed'
        few = len(words) == 1 or (subject == 'decord' and not words)  # PyAV reads videos too
        # mmengine and mmaction2 bring two builds of OpenCV, which were imported just now.
        bad = 'warning' if subject == 'OpenCV' and words else 'error'
        yield judge(subject, few, found, remedy, bad)


def examine_devices() -> Iterator[Finding]:
    """GPUs, and whether PyTorch can use them."""
    built = torch.version.cuda or torch.version.hip
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ', '.join(torch.cuda.get_device_name(i) for i in range(count))
    sign = unseen_gpus()
    found = f'none; torch {torch.__version__} is for {built or "CPU"}'
    found += f', though {sign} tells of one' if sign else ''
    yield judge(
        'GPU',
        count > 0,
        f'{count} x {names}' if count else found,
        'training runs on the CPU; with a GPU, see nvidia-smi and pytorch.org for the build of '
        'torch that fits its driver',
        'warning',
    )


def examine_backend(name: str, remedy: str) -> Finding:
    """Checks that a process group of one can be created and sums a tensor."""
    if distributed.is_initialized():
        return Finding(name, 'ok', 'a process group exists already')
    try:
        distributed.init_process_group(name, store=distributed.HashStore(), rank=0, world_size=1)
        try:
            ones = torch.ones(1, device='cuda' if name == 'nccl' else 'cpu')
            distributed.all_reduce(ones)
        finally:
            distributed.destroy_process_group()
    except (RuntimeError, ValueError) as error:
        return Finding(name, 'error', first_line(error), remedy)
    return judge(name, ones.item() == 1, 'a group of one process works', remedy)
