"""No space for a file; kills and the order of events are in test_table_file.py."""

import contextlib
import errno
import os
import shutil
import stat

import pytest

from pmd_mmaction.storage.atomic_file import NO_SPACE, atomic_writer, write_file


@pytest.fixture
def full(tmp_path):
    """A file whose successor meets a full disk: the kernel's own, without a patch."""
    path = tmp_path / 'epoch_2.pth'
    path.write_bytes(b'old')
    (tmp_path / 'epoch_2.pth.tmp').symlink_to('/dev/full')
    return path


def test_a_full_disk_is_explained_and_leaves_the_old_file(full, monkeypatch):
    usage = shutil._ntuple_diskusage(total=9, used=2, free=1234567)
    monkeypatch.setattr(shutil, 'disk_usage', {full.parent: usage}.__getitem__)
    with pytest.raises(OSError) as caught, atomic_writer(full, 7654321) as file:
        file.write(bytes(7654321))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.strerror == (
        f'No space left on device: {full} was not written; it needs 7,654,321 bytes, '
        '1,234,567 bytes are free there'
    )
    assert full.read_bytes() == b'old' and list(full.parent.iterdir()) == [full]


def test_a_full_disk_is_noticed_when_a_small_file_is_flushed(full):
    with pytest.raises(OSError, match='No space left.*was not written; [0-9,]+ bytes are free'):
        with atomic_writer(full) as file:
            file.write(b'less than a buffer')
    assert full.read_bytes() == b'old'


@pytest.mark.parametrize('number', NO_SPACE)
def test_quota_and_file_size_are_named(tmp_path, number):
    with pytest.raises(OSError, match='(?i)quota|too large|no space') as caught:
        with atomic_writer(tmp_path / 'a'):
            raise OSError(number, 'x')
    assert caught.value.errno == number


@pytest.mark.parametrize('number, fatal', [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synchronised(tmp_path, monkeypatch, number, fatal):
    """Some shared folders know no fsync of a directory; the file is in its place."""
    sync = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, 'x')
        sync(descriptor)

    monkeypatch.setattr(os, 'fsync', refuse)
    with pytest.raises(OSError) if fatal else contextlib.nullcontext():
        write_file(tmp_path / 'a', b'new')
    assert (tmp_path / 'a').read_bytes() == b'new'


def test_another_error_stays_what_it_is(tmp_path):
    error = OSError(errno.EIO, 'x')
    with pytest.raises(OSError) as caught, atomic_writer(tmp_path / 'a'):
        raise error
    assert caught.value is error and not list(tmp_path.iterdir())
