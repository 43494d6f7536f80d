"""Disk full, typos; the rest is in tests/integration."""

import errno
import resource

import pytest

from pmd_mmaction.hooks import PreemptionHook, SafeCheckpointHook
from pmd_mmaction.hooks.atomic_backend import AtomicLocalBackend
from pmd_mmaction.hooks.safe_checkpoint_hook import _explained
from tests.integration import processes


def _write_too_much(path):
    """In a process of its own: the limit is that of a process, and pytest writes too."""
    backend = AtomicLocalBackend()
    backend.put(b'old', path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        backend.put(b'x' * 5000, path)
    except OSError as error:
        assert error.errno == errno.EFBIG
    else:
        raise AssertionError('5000 bytes fit into 1000')


def test_a_full_disk_leaves_the_old_file(tmp_path):
    place = tmp_path / 'run'
    processes.run(_write_too_much, tmp_path / 'log', place / 'a.pth')
    assert (place / 'a.pth').read_bytes() == b'old'
    assert list(place.iterdir()) == [place / 'a.pth']


def test_a_full_disk_is_explained():
    error = _explained(OSError(errno.ENOSPC, 'No space left on device'), '/a/epoch_3.pth')
    assert error.errno == errno.ENOSPC
    assert 'epoch_3.pth was written. Earlier checkpoints are intact: free space in /a' in str(error)
    other = OSError(errno.EACCES, 'x')
    assert _explained(other, '/a') is other


def test_removal_waits(tmp_path):
    path, backend = tmp_path / 'a', AtomicLocalBackend()
    backend.put(b'', path)
    backend.waiting = []
    backend.remove(path)
    assert path.exists() and backend.waiting == [path]
    backend.waiting = None
    backend.remove(path)
    assert not path.exists()


def test_typos_are_refused():
    with pytest.raises(TypeError, match='max_keep'):
        SafeCheckpointHook(interval=1, max_keep=3)


@pytest.mark.parametrize(
    'arguments', [dict(signals=['SIGUSER']), dict(signals='SIGTERM'), dict(agree_every=0)]
)
def test_impossible_preemption_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        PreemptionHook(**arguments)
