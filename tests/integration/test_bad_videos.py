"""Trainings on real files of which 5 % cannot be read."""

import copy
import csv
import json
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import DATASETS

from pmd_mmaction.hooks import BadVideoHook
from tests.integration import faulty, processes, tiny


@pytest.fixture(scope='module')
def folder(clips, tmp_path_factory):
    """Videos of which 5 % are bad."""
    return faulty.make_folder(tmp_path_factory.mktemp('faulty') / 'videos', clips)


@pytest.fixture(autouse=True)
def _permissions(folder):
    with faulty.permissions_count():
        with pytest.raises(PermissionError):
            (folder / 'forbidden.mp4').read_bytes()
        yield


def _config(folder, work_dir, *hooks, limit=0.05, names=None, **changes):
    return tiny.tiny_config(
        folder,
        work_dir,
        *hooks,
        ratios=(0.5,),
        epochs=2,
        train_dataloader__batch_size=20,
        train_dataloader__dataset__ann_file=str(names or folder / 'list.txt'),
        default_hooks__bad_videos__max_bad_fraction=limit,
        log_level='WARNING',
        **changes,
    )


def _names(folder):
    return (folder / 'list.txt').read_text().splitlines()


def _rows_of_bad(folder):
    return [i for i, name in enumerate(_names(folder)) if name in faulty.BAD]


def _log(work_dir):
    (path,) = Path(work_dir).glob('*/*.log')
    return path.read_text()


def _scalars(work_dir):
    (path,) = Path(work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope='module')
def tables():
    """Difficulty tables of the runs below, which have to be equal."""
    return []


@pytest.mark.parametrize(
    'workers, persistent',
    [(0, False), (2, False), (2, True)],
    ids=['main', 'workers', 'persistent'],
)
def test_training_goes_on(folder, tmp_path, tables, workers, persistent):
    cfg = _config(
        folder,
        tmp_path,
        dict(type='Watch'),
        train_dataloader__num_workers=workers,
        train_dataloader__persistent_workers=persistent,
    )
    runner = tiny.train(cfg)
    assert len(tiny.hook_of(runner, tiny.Watch).steps) == 20
    # each is named once, with its reason, in two epochs
    log = _log(tmp_path)
    for name, reason in faulty.BAD.items():
        (line,) = (line for line in log.splitlines() if repr(str(folder / name)) in line)
        assert reason in line
    assert log.count('Bad video') == len(faulty.BAD)
    assert [line['bad_videos'] for line in _scalars(tmp_path)] == [0] * 9 + [10] + [0] * 9 + [10]
    with (tmp_path / 'bad_videos.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert {row['path'] for row in rows} == {str(folder / name) for name in faulty.BAD}
    assert {row['epoch'] for row in rows} == {'2'}
    # no row but those of good videos was written, and all of these were
    current = tiny.table_of(runner)[0]
    bad = _rows_of_bad(folder)
    assert not current[bad].any()
    assert np.delete(current, bad, axis=0).any(axis=(1, 2)).all()
    tables.append(current)
    np.testing.assert_array_equal(current, tables[0])


def test_a_resumed_run_equals_an_uninterrupted_one(folder, tmp_path):
    quick = folder / 'quick.txt'
    cfg = _config(folder, tmp_path / 'whole', names=quick)
    whole = tiny.train(cfg)
    cfg = _config(folder, tmp_path / 'cut', dict(type='StopAfter', epoch=0), names=quick)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    (log,) = (tmp_path / 'cut').glob('*/*.log')
    assert log.read_text().count('Bad video') == 10
    log.unlink()
    cfg.custom_hooks.pop()
    resumed = tiny.train(tiny.resumed(cfg))
    assert 'Bad video' not in ''.join(p.read_text() for p in (tmp_path / 'cut').glob('*/*.log'))
    assert tiny.same(tiny.snapshot(whole.model), tiny.snapshot(resumed.model))
    np.testing.assert_array_equal(tiny.table_of(whole), tiny.table_of(resumed))
    for runner in (whole, resumed):
        known = tiny.hook_of(runner, BadVideoHook)._known
        assert {Path(name).name for name in known} == set(faulty.BAD)
        assert {entry['epoch'] for entry in known.values()} == {1}


def test_too_many_stop_the_run_with_a_list(folder, tmp_path):
    with pytest.raises(
        RuntimeError, match='10 of 200 videos could not be read in epoch 1'
    ) as error:
        tiny.train(_config(folder, tmp_path, limit=0.049, names=folder / 'quick.txt'))
    for name in faulty.BAD:
        assert repr(str(folder / name)) in str(error.value)
    assert 'check_videos.py' in str(error.value)
    assert len((tmp_path / 'bad_videos.csv').read_text().splitlines()) == 11
    assert not list(tmp_path.glob('*.pth'))


def test_a_wrong_prefix_ends_the_run_at_once(folder, tmp_path):
    cfg = _config(
        folder, tmp_path, train_dataloader__dataset__data_prefix=dict(video=str(tmp_path / 'no'))
    )
    with pytest.raises(RuntimeError, match='Are data_prefix'):
        tiny.train(cfg)


@pytest.mark.parametrize(
    'name', ['8k.mp4', 'odd_size.mp4', 'yuv444.mp4', 'variable_rate.mp4', 'turned.mp4']
)
def test_unusual_videos_are_read(folder, tmp_path, name):
    (tmp_path / 'list.txt').write_text(name)
    cfg = _config(folder, tmp_path, names=tmp_path / 'list.txt')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert dataset[0]['inputs'].shape == (1, 3, 4, 32, 32)
    assert dataset[0]['inputs'].float().std() > 1


@pytest.mark.parametrize('name', ['val_dataloader', 'train_dataloader'])
def test_evaluation_never_replaces_a_video(folder, clips, tmp_path, name):
    """Nor does a training without the hook."""
    cfg = tiny.validate_frozen(_config(folder, tmp_path), clips, 1)
    dataset = copy.deepcopy(cfg[name].dataset)
    dataset = dataset.datasets[1] if 'datasets' in dataset else dataset
    (tmp_path / 'list.txt').write_text('good_000.mp4 0\nempty.mp4 0')
    dataset.update(ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video=str(folder)))
    dataset = DATASETS.build(dataset)
    if name == 'val_dataloader':
        dataset.substitute_bad_videos(0, 0)
    dataset[0]
    with pytest.raises(RuntimeError, match='cannot read .*empty.mp4'):
        dataset[1]


def _train_rank(folder: Path, work_dir: Path, limit: float) -> None:
    cfg = _config(
        folder,
        work_dir,
        limit=limit,
        names=folder / 'quick.txt',
        launcher='pytorch',
        default_hooks__bad_videos__interval=2,
    )
    cfg.train_dataloader.batch_size = 10
    with faulty.permissions_count():
        tiny.train(cfg)


def test_two_ranks_tell_of_all(folder, tmp_path):
    processes.run_ranks(_train_rank, tmp_path / 'log', folder, tmp_path / 'run', 0.05)
    assert _log(tmp_path / 'run').count('Bad video') == 10
    assert _scalars(tmp_path / 'run')[-1]['bad_videos'] == 10


def test_two_ranks_stop_together(folder, tmp_path):
    with pytest.raises(AssertionError, match='max_bad_fraction=0.01'):
        processes.run_ranks(_train_rank, tmp_path / 'log', folder, tmp_path / 'run', 0.01)
    messages = [path.read_text().split('RuntimeError: ')[1] for path in tmp_path.glob('log.?')]
    assert len(messages) == 2 and messages[0] == messages[1]
