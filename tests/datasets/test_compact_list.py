"""The quick scan of a list says the same as the reader of columns, or nothing."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mmaction.registry import DATASETS

from pmd_mmaction.dare import dataset_fingerprint
from pmd_mmaction.datasets import read_path_list
from pmd_mmaction.datasets.compact_list import CompactList, scan_ordinary
from pmd_mmaction.datasets.list_columns import read_columns

NAMES = st.sampled_from(
    [
        'a.mp4',
        'b/c d.MKV',
        'x 7.webm',
        '7.mp4',
        '-1.avi',
        'é.mp4',
        'no_suffix',
        '.mp4',
        'a.mp4,1',
        '3',
    ]
)
BLANKS = st.sampled_from([' ', '  ', '   ', '\t', '\u2003', ''])
LABELS = st.sampled_from(['0', '12', '-1', '-', '007', '123456789', '1234567890', '1.5', '', '٣'])
LINES = st.lists(st.builds('{}{}{}'.format, NAMES, BLANKS, LABELS), min_size=1, max_size=4)


def by_columns(text):
    return [line[1:] for line in read_columns(text.split('\n'), os.path.exists)]


@given(LINES, st.sampled_from(['\n', '\r\n', '\n\n']), st.booleans())
@example(['a.mp4 1', 'b.mp4   2'], '\n', True)
@example(['a.mp4', 'b c.mp4'], '\n\n', False)
def test_the_scan_agrees_with_the_reader_of_columns(lines, between, ended):
    text = between.join(lines) + between * ended
    found = scan_ordinary(text.encode())
    if found is not None:
        assert list(found) == by_columns(text)


@pytest.mark.parametrize(
    'text',
    [
        'a.mp4 0\nb/c.MKV 17\n',
        'a.mp4 0\nb d.mp4  -1',
        'a.mp4\nb c.webm\n',
        'a.mp4 123456789\n\nb.mp4 0\n',
        'é.mp4 1\n',
    ],
)
def test_ordinary_lists_are_scanned(text):
    assert list(scan_ordinary(text.encode())) == by_columns(text)


@pytest.mark.parametrize(
    'text', ['a.mp4 0\nb.mp4\n', ' a.mp4\n', 'a\tb.mp4\n', 'a.txt\n', '\n', '']
)
def test_others_are_left_to_the_reader_of_columns(text):
    assert scan_ordinary(text.encode()) is None


def test_a_list_whose_lines_are_files_has_no_labels(tmp_path):
    for name in ('a.mp4 0', 'b.mp4 1'):
        (tmp_path / name).touch()
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb.mp4 1\n')
    found = read_path_list(tmp_path / 'list.txt', tmp_path)
    assert list(found) == [('a.mp4 0', None), ('b.mp4 1', None)]


def test_names_keep_their_bytes():
    raw = b'caf\xe9.mp4 3\nb.mp4 4\n'
    assert [name.encode('utf-8', 'surrogateescape') for name in scan_ordinary(raw).names()] == [
        b'caf\xe9.mp4',
        b'b.mp4',
    ]
    packed = CompactList.of([('caf\udce9.mp4', 3)])
    assert packed[0] == ('caf\udce9.mp4', 3) and packed[-1:] == [packed[0]]


def test_a_list_is_one_block_of_memory():
    """Ten million videos: bytes of the file, two places and a label for each."""
    text = b''.join(b'class_%03d/%011d.mp4 %d\n' % (i % 400, i, i % 400) for i in range(5000))
    assert len(pickle.dumps(scan_ordinary(text))) < len(text) + 5000 * 24 + 1000


@pytest.fixture
def dataset(tmp_path, mmaction_scope):
    names = ['a.mp4', 'b//c.mp4', './d.mp4', 'e/./f.mp4', '/data/x/g.mp4', 'h..mp4', '.i.mp4']
    (tmp_path / 'list.txt').write_text(''.join(f'{name} {i}\n' for i, name in enumerate(names)))
    options = dict(ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video='/data/x'))
    return DATASETS.build(dict(type='PathListDataset', pipeline=[], allow_outside=True, **options))


def test_file_names_are_those_of_the_samples(dataset):
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert list(dataset.file_names()) == [info['filename'] for info in infos]
    assert [info['label'] for info in infos] == list(range(7))
    part = dataset.get_subset([2, 0])
    assert list(part.file_names()) == [infos[2]['filename'], infos[0]['filename']]


def test_the_fingerprint_of_odd_names_is_that_of_their_paths(dataset):
    plain = ['a.mp4', 'b/c.mp4', 'd.mp4', 'e/f.mp4', 'g.mp4', 'h..mp4', '.i.mp4']
    assert dataset_fingerprint(dataset.file_names(), '/data/x') == dataset_fingerprint(plain)


def test_labels_are_numbers_of_python(dataset):
    assert type(dataset.get_data_info(3)['label']) is int
    assert not isinstance(dataset.get_data_info(3)['label'], np.integer)
