"""phase_K_student.pth."""

import hashlib

import pytest
import torch

from pmd_mmaction.hooks.curriculum.phase_file import read_phase_file, write_phase_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'phase_2_student.pth'


def test_what_is_written_is_read(path):
    weights = dict(w=torch.randn(3, requires_grad=True))
    digest = write_phase_file(path, weights, 2, 0.8)
    content = read_phase_file(path, digest)
    assert (content.number, content.mask_ratio, content.sha256) == (2, 0.8, digest)
    assert torch.equal(content.state_dict['w'], weights['w'])
    assert not content.state_dict['w'].requires_grad


def test_equal_students_give_equal_files(path):
    weights = dict(w=torch.arange(4.0))
    assert write_phase_file(path, weights, 1, 0.5) == write_phase_file(path, weights, 1, 0.5)


def test_the_digest_is_that_of_the_file(path):
    digest = write_phase_file(path, dict(w=torch.zeros(2**19)), 1, 0.5)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    old = write_phase_file(path, dict(w=torch.zeros(2)), 1, 0.5)

    def fail(content, file):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        write_phase_file(path, dict(w=torch.ones(2)), 2, 0.8)
    assert read_phase_file(path, old).number == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_explained(path):
    with pytest.raises(FileNotFoundError, match='Copy it from the work directory'):
        read_phase_file(path)


def test_another_digest_is_refused(path):
    write_phase_file(path, dict(w=torch.zeros(2)), 1, 0.5)
    with pytest.raises(ValueError, match=r'is not the student.*restore the file'):
        read_phase_file(path, 64 * '0')


@pytest.mark.parametrize('content', [[1], dict(state_dict={}), dict(meta=dict(epoch=1))])
def test_another_kind_of_file_is_refused(path, content):
    torch.save(content, path)
    with pytest.raises(ValueError, match=r'is not a phase_K_student\.pth'):
        read_phase_file(path)


def test_code_in_the_file_is_not_run(path):
    class Evil:
        def __reduce__(self):
            return print, ('code was run',)

    torch.save(dict(state_dict={}, meta=dict(phase=1, mask_ratio=0.5), evil=Evil()), path)
    with pytest.raises(Exception, match='(?i)weights_only|unsupported'):
        read_phase_file(path)
