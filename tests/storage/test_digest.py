import hashlib

import pytest

from pmd_mmaction.storage.digest import BLOCK, sha256_of


@pytest.fixture
def content(tmp_path):
    """Two and a half blocks, all different, and the file that holds them."""
    data = b''.join(number.to_bytes(4, 'little') for number in range(5 * BLOCK // 8))
    (tmp_path / 'file').write_bytes(data)
    return data, tmp_path / 'file'


def test_the_whole_file_counts(content):
    data, path = content
    assert sha256_of(path) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize('size', [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_only_the_first_bytes_count(content, size):
    data, path = content
    assert sha256_of(path, size) == hashlib.sha256(data[:size]).hexdigest()


def test_a_file_that_is_shorter_than_asked_ends_it(content):
    data, path = content
    assert sha256_of(path, len(data) + 1) == hashlib.sha256(data).hexdigest()


def test_an_empty_file(tmp_path):
    (tmp_path / 'empty').touch()
    assert sha256_of(tmp_path / 'empty') == hashlib.sha256().hexdigest()
