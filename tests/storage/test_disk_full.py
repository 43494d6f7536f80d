import errno

import pytest

from pmd_mmaction.storage.disk_full import REMEDY, remedy_if_disk_full


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_remedy_is_added_once(number):
    with pytest.raises(OSError) as caught, remedy_if_disk_full(), remedy_if_disk_full():
        raise OSError(number, 'no space for epoch_3.pth')
    assert caught.value.errno == number
    assert caught.value.strerror == f'no space for epoch_3.pth. {REMEDY}'


@pytest.mark.parametrize('error', [OSError(errno.EACCES, 'x'), ValueError('x')])
def test_another_error_stays_what_it_is(error):
    with pytest.raises(type(error)) as caught, remedy_if_disk_full():
        raise error
    assert caught.value is error
