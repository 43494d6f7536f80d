"""Lists with and without labels."""

import os

import pytest
from mmaction.registry import DATASETS

from pmd_mmaction.datasets import read_path_list
from pmd_mmaction.datasets.compact_list import CompactList
from pmd_mmaction.datasets.list_columns import read_columns
from pmd_mmaction.datasets.path_list import ListedVideos, join_path, lies_inside


@pytest.mark.parametrize(
    'lines, expected',
    [
        (['a.mp4 3\n', 'b c.mp4  0\n'], [('a.mp4', 3), ('b c.mp4', 0)]),
        (['a.mp4\n', 'b c.mp4\n'], [('a.mp4', None), ('b c.mp4', None)]),
        (['a.mp4\t-1 \r\n', '\n', '  \n'], [('a.mp4', -1)]),
        ([' a.mp4 \n', 'b.mp4\t\n'], [('a.mp4', None), ('b.mp4', None)]),
        (['it\'s "x".mp4'], [('it\'s "x".mp4', None)]),
        ([], []),
    ],
)
def test_lines(lines, expected):
    assert [line[1:] for line in read_columns(lines, os.path.exists)] == expected


@pytest.mark.parametrize(
    'lines, line, told',
    [
        (['a.mp4,0', 'b.mp4,1'], 1, "',0'"),
        (['a.mp4, 0', 'b.mp4, 1'], 1, "','"),
        (['"a.mp4",0', '"b.mp4",1'], 1, "',0'"),
        (['a.mp4;0'], 1, "';0'"),
        (['a.mp4 0.0', 'b.mp4 1.0'], 1, "'0.0'"),
        (['a.mp4\tjump'], 1, "'jump'"),
        (['a.webm 117 0', 'b.webm 80 1'], 1, "'a.webm 117 0' has '117'"),
        (['b.mp4 2', 'A.MTS 3 5'], 2, "'3'"),
        (['frames/a 117 0', 'frames/b 80 1'], 1, "'117'"),
        (['a.mp4 3', 'take 2.mp4'], 2, 'has no label'),
        (['a.mp4 3', '', 'b.mp4 0', 'c.mp4', 'd.mp4 1'], 4, 'has no label'),
        (['a.mp4', 'b.mp4 1', 'c.mp4'], 2, 'has a label'),
        (['a 3', 'b', 'c 1'], 2, 'has no label'),
        (['path label', 'a.mp4 3', 'b.mp4 0'], 1, 'has no label'),
        (['path,label', 'a.mp4,3'], 2, "',3'"),
        (['video', 'a.mp4', 'b.mp4'], 1, 'names of its columns'),
        (['a.mp4 1', 'b.mp4 2x'], 2, "'2x'"),
    ],
)
def test_columns_gone_wrong(tmp_path, lines, line, told):
    path = tmp_path / 'list.txt'
    path.write_text('\n'.join(lines))
    with pytest.raises(ValueError) as error:
        read_path_list(path, tmp_path)
    assert str(error.value).startswith(f'{path}, line {line}: ')
    assert told in str(error.value) and 'column' in str(error.value)
    assert 'docs/data.md' in str(error.value)


@pytest.mark.parametrize(
    'names',
    [
        ['day 1.mp4', 'a.mp4,0', 'b.mp4 0.0', 'c.mp4 x'],
        ['a.mp4 3', 'take 2.mp4'],
        ['day 1', 'day 2'],
        ['day 1', 'last day', 'x.mp4'],
    ],
)
def test_what_exists_as_written_is_a_path(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / 'list.txt').write_text('\n'.join(names))
    assert list(read_path_list(tmp_path / 'list.txt', tmp_path)) == [(name, None) for name in names]


def test_a_list_may_end_without_a_new_line(tmp_path):
    (tmp_path / 'a.mp4 0').touch()
    (tmp_path / 'list.txt').write_text('a.mp4 0')
    assert list(read_path_list(tmp_path / 'list.txt', tmp_path)) == [('a.mp4 0', None)]


def test_names_with_spaces_need_not_exist():
    """A wrong folder is told by the missing videos, not by their names."""
    lines = ['day 1.mp4', 'day 2, noon.MOV', 'My.mp4 collection/3.MTS']
    assert read_columns(lines, os.path.exists) == [(i + 1, x, None) for i, x in enumerate(lines)]


def test_addresses_are_not_taken_for_paths():
    videos = ListedVideos(CompactList.of([('a//b.mp4', 1), ('./c.mp4', 2)]), 's3://bucket/videos/')
    assert [*videos.file_names()] == ['s3://bucket/videos/a//b.mp4', 's3://bucket/videos/./c.mp4']
    assert join_path('/data', 'http://host/a.mp4') == 'http://host/a.mp4'
    assert join_path('s3://', 'b/a.mp4') == 's3://b/a.mp4'
    assert join_path('', 'a.mp4') == 'a.mp4' and join_path('/data/', 'a//b.mp4') == '/data/a/b.mp4'


def test_names_that_are_no_utf8_can_be_opened(tmp_path):
    name = b'caf\xe9.mp4'
    (tmp_path / 'list.txt').write_bytes(name + b'\n')
    ((found, _),) = read_path_list(tmp_path / 'list.txt')
    assert found.encode('utf-8', 'surrogateescape') == name


def test_lists_of_other_editors(tmp_path):
    (tmp_path / 'list.txt').write_bytes(b'\xef\xbb\xbfa.mp4\t1\r\nb.mp4   2  \r\n')
    assert list(read_path_list(tmp_path / 'list.txt')) == [('a.mp4', 1), ('b.mp4', 2)]


def test_a_list_in_utf16_is_refused(tmp_path):
    """As PowerShell's > writes it; each second byte would be a NUL in a name."""
    (tmp_path / 'list.txt').write_text('a.mp4 1\nb.mp4 2\n', encoding='utf-16')
    with pytest.raises(ValueError, match='list.txt is not UTF-8.*save it as UTF-8'):
        read_path_list(tmp_path / 'list.txt')


def test_no_list_and_an_empty_one(tmp_path):
    with pytest.raises(FileNotFoundError, match='docs/data.md'):
        read_path_list(tmp_path / 'list.txt')
    (tmp_path / 'list.txt').write_text('\n \n')
    with pytest.raises(ValueError, match='names no video'):
        read_path_list(tmp_path / 'list.txt')


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('lines', [['a b.mp4', 'c.mp4'], ['a b.mp4 1', 'c.mp4 0']])
def test_the_data_set(tmp_path, lines):
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    cfg = dict(
        type='PathListDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(video='data/x'),
        pipeline=[],
    )
    dataset = DATASETS.build(cfg)
    info = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [x['filename'] for x in info] == ['data/x/a b.mp4', 'data/x/c.mp4']
    assert [x['label'] for x in info] == ([1, 0] if lines[0].endswith('1') else [-1, -1])
    assert [x['sample_idx'] for x in info] == [0, 1]
    for indices, kept in ((1, info[:1]), (-1, info[1:]), ([1], info[1:])):
        part = DATASETS.build(dict(cfg, indices=indices))
        names = [part.get_data_info(i)['filename'] for i in range(len(part))]
        assert names == [x['filename'] for x in kept]


# ---------------------------------------------------------------------- staying inside


def _read(tmp_path, name, prefix, **options):
    (tmp_path / 'list.txt').write_bytes(b'\nfine.mp4\n' + name.encode() + b'\n')
    return DATASETS.build(
        dict(
            type='PathListDataset',
            ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(video=prefix),
            pipeline=[],
            **options,
        )
    )


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize(
    'name', ['../x.mp4', 'a/../../x.mp4', 'link/../x.mp4', '/etc/x.mp4', '/data/videos2/x.mp4']
)
def test_a_path_that_leaves_the_prefix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f'line 3: {name!r} lies outside .*allow_outside=True'):
        _read(tmp_path, name, '/data/videos')
    dataset = _read(tmp_path, name, '/data/videos', allow_outside=True)
    assert dataset.get_data_info(1)['filename'].endswith('x.mp4')


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('name', ['x..mp4', '..x/y.mp4', 'a b/"q".mp4', '/data/videos/a/x.mp4'])
def test_a_path_inside_is_accepted(tmp_path, name):
    found = _read(tmp_path, name, '/data/videos').get_data_info(1)['filename']
    assert found == f'/data/videos/{name.removeprefix("/data/videos/")}'


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('name', ['../x.mp4', '/etc/x.mp4'])
def test_without_a_prefix_any_path_is_accepted(tmp_path, name):
    assert _read(tmp_path, name, '').get_data_info(1)['filename'] == name


def test_a_relative_prefix_is_that_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lies_inside(f'{tmp_path}/videos/x.mp4', 'videos')
    assert not lies_inside(f'{tmp_path}/x.mp4', 'videos')
