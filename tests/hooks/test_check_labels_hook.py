"""Labels that are no classes are named with list and line before the first step."""

from types import SimpleNamespace

import pytest
from mmaction.registry import DATASETS
from torch import nn

from pmd_mmaction.hooks import CheckLabelsHook

KINDS = ('PathListDataset', 'RepeatAugPathListDataset', 'VideoDataset')
STEPS = [dict(type='VideoInit'), dict(type='SampleFrames', clip_len=2), dict(type='VideoDecode')]

pytestmark = pytest.mark.usefixtures('mmaction_scope')


@pytest.fixture
def build(tmp_path):
    def call(labels, kind='PathListDataset', name='train.txt', suffix='.mp4', **options):
        lines = [f'{i:03d}{suffix} {label}\n' for i, label in enumerate(labels)]
        (tmp_path / name).write_text(''.join(lines))
        prefix = dict(img='x') if kind == 'RawframeDataset' else dict(video='x')
        return DATASETS.build(
            dict(type=kind, ann_file=str(tmp_path / name), data_prefix=prefix, pipeline=STEPS)
            | options
        )

    return call


def loop(dataset):
    return SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))


def look(train, val=None, num_classes=3):
    model = nn.Module()
    model.cls_head = SimpleNamespace(num_classes=num_classes)
    runner = SimpleNamespace(model=model, train_loop=loop(train), val_loop=val and loop(val))
    CheckLabelsHook().before_train(runner)


@pytest.mark.parametrize('kind', KINDS)
def test_classes_are_accepted(build, kind):
    look(build([0, 2, 1, 0], kind), build([2, 2], kind, 'val.txt'))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    'labels, line, told, remedy',
    [
        ([1, 3, 2, 3], 2, 'such as 3 of x/001.mp4', 'subtract 1'),
        ([0, 1, 2, 3], 4, 'such as 3 of x/003.mp4', 'cls_head.num_classes'),
        ([0, 1, -2], 3, 'such as -2 of x/002.mp4', 'correct the list'),
        ([0, -1, 2], 2, 'such as -1 of x/001.mp4', 'correct the list'),
        ([-1, -1], 1, 'x/000.mp4 has no label', 'last column'),
        (['', ''], 1, 'x/000.mp4 has no label', 'last column'),
    ],
)
def test_strange_labels_are_named(build, tmp_path, kind, labels, line, told, remedy):
    with pytest.raises(ValueError) as error:
        look(build(labels, kind))
    assert str(error.value).startswith(f'{tmp_path}/train.txt, line {line}: ')
    assert told in str(error.value) and remedy in str(error.value).partition('Remedy: ')[2]


def test_the_list_of_the_validation(build):
    with pytest.raises(ValueError, match='val.txt, line 2: 1 labels outside 0-2'):
        look(build([0, 1, 2]), build([0, 3], name='val.txt'))


def test_data_sets_under_wrappers(build):
    parts = [build([0, 1, 2]), build([0, 4], name='more.txt')]
    with pytest.raises(ValueError, match='more.txt, line 2'):
        look(SimpleNamespace(datasets=parts))


def test_empty_lines_count(build, tmp_path):
    dataset = build([0, 3])
    path = tmp_path / 'train.txt'
    path.write_text(f'\n\n{path.read_text()}')
    with pytest.raises(ValueError, match='line 4'):
        look(dataset)


def test_a_part_of_a_list_names_the_video(build, tmp_path):
    with pytest.raises(ValueError, match=r'train.txt: 1 labels .* 5 of x/003.mp4'):
        look(build([0, 9, 1, 5], indices=[0, 3]))


def test_several_labels_and_folders_of_pictures(build):
    multi = build(['0 1', '2 3'], 'VideoDataset', multi_class=True, num_classes=3)
    with pytest.raises(ValueError, match='line 2: .* such as 3 of x/001.mp4'):
        look(multi)
    with pytest.raises(ValueError, match='line 2: .* such as 3 of x/001'):
        look(build(['9 0', '9 3'], 'RawframeDataset', suffix=''))


def test_without_a_head_labels_do_not_matter(build):
    runner = SimpleNamespace(model=nn.Module(), train_loop=loop(build([-1, 9])), val_loop=None)
    CheckLabelsHook().before_train(runner)


def test_a_test_takes_a_list_without_labels_but_no_strange_ones(build):
    model = nn.Module()
    model.cls_head = SimpleNamespace(num_classes=3)
    told = []
    runner = SimpleNamespace(model=model, test_loop=loop(build([-1, -1])))
    runner.logger = SimpleNamespace(warning=told.append)
    CheckLabelsHook().before_test(runner)
    assert len(told) == 1 and 'train.txt has no labels: accuracies on it mean nothing' in told[0]
    with pytest.raises(ValueError, match='start at 1'):
        CheckLabelsHook().before_test(SimpleNamespace(model=model, test_loop=loop(build([1, 3]))))
