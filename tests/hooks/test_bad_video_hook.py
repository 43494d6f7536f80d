"""Naming, counting and limiting videos that cannot be read."""

import csv
from types import SimpleNamespace
from unittest import mock

import pytest

from pmd_mmaction.hooks import BadVideoHook, bad_video_hook
from pmd_mmaction.hooks.bad_video_hook import write_bad_videos

PER_EPOCH, VIDEOS = 5, 100


class Data(list):
    pipeline = None

    def substitute_bad_videos(self, seed, epoch):
        self.told = seed, epoch


def _runner(tmp_path, data=None, iteration=0):
    loader = mock.MagicMock(dataset=Data(range(VIDEOS)) if data is None else data)
    loader.__len__.return_value = PER_EPOCH
    return SimpleNamespace(
        train_dataloader=loader,
        iter=iteration,
        epoch=0,
        seed=3,
        work_dir=str(tmp_path),
        logger=mock.Mock(),
        message_hub=mock.Mock(),
    )


def _iterate(hook, runner, batch_idx, *bad):
    metainfo = dict(bad_videos=list(bad)) if bad else {}
    samples = [SimpleNamespace(metainfo={}), SimpleNamespace(metainfo=metainfo)]
    hook.after_train_iter(runner, batch_idx, dict(data_samples=samples))
    runner.iter += 1


def _epoch(hook, runner, *bad):
    hook.before_train_epoch(runner)
    for i in range(PER_EPOCH):
        _iterate(hook, runner, i, *(bad if i == 1 else ()))
    runner.epoch += 1


def _warnings(runner):
    return [call.args[0] for call in runner.logger.warning.call_args_list]


def _logged(runner):
    return runner.message_hub.update_scalar.call_args.args


def test_each_is_named_once_and_counted_in_each_epoch(tmp_path):
    hook, runner = BadVideoHook(0.05), _runner(tmp_path)
    hook.before_train(runner)
    _epoch(hook, runner, ('a', 'E: x'), ('b', 'E: y'))
    _epoch(hook, runner, ('b', 'E: y'))
    assert _warnings(runner) == [
        "Bad video 'a', another one is used instead: E: x",
        "Bad video 'b', another one is used instead: E: y",
    ]
    assert _logged(runner) == ('train/bad_videos', 1)
    rows = (tmp_path / 'bad_videos.csv').read_text().splitlines()
    assert rows == ['path,problem,epoch', 'a,E: x,1', 'b,E: y,2']


def test_substitution_is_switched_on_for_every_epoch(tmp_path):
    hook, runner = BadVideoHook(), _runner(tmp_path)
    for epoch in (0, 1):
        _epoch(hook, runner)
        assert runner.train_dataloader.dataset.told == (3, epoch)


def test_ranks_exchange_after_the_interval_and_at_the_end(tmp_path, monkeypatch):
    sent = []

    def gather(found):
        sent.append(found)
        return [found, {'other': 'E'}]

    monkeypatch.setattr(bad_video_hook, 'all_gather_object', gather)
    hook, runner = BadVideoHook(0.05, interval=2), _runner(tmp_path)
    _epoch(hook, runner, ('a', 'E'))
    assert sent == [{'a': 'E'}, {}, {}]
    assert [line.split("'")[1] for line in _warnings(runner)] == ['a', 'other']
    assert _logged(runner) == ('train/bad_videos', 2)


@pytest.mark.parametrize('bad, stops', [(5, False), (6, True)])
def test_more_than_the_limit_stops_with_a_list(tmp_path, bad, stops):
    hook, runner = BadVideoHook(0.05), _runner(tmp_path)
    found = [(f'v{i}', 'E') for i in range(bad)]
    if not stops:
        return _epoch(hook, runner, *found)
    with pytest.raises(RuntimeError, match='6 of 100 videos could not be read in epoch 1') as error:
        _epoch(hook, runner, *found)
    assert all(f"'{name}'" in str(error.value) for name, _ in found)
    assert len((tmp_path / 'bad_videos.csv').read_text().splitlines()) == 7


@pytest.mark.parametrize('limit, stops', [(0.001, False), (0.0, True)])
def test_a_single_one_never_ends_a_run_that_allows_any(tmp_path, limit, stops):
    hook, runner = BadVideoHook(limit), _runner(tmp_path)
    if not stops:
        return _epoch(hook, runner, ('v', 'E'))
    with pytest.raises(RuntimeError, match='1 of 100 videos'):
        _epoch(hook, runner, ('v', 'E'))


def test_a_share_that_is_reached_is_allowed(tmp_path):
    """0.29 * 100 is 28.999999999999996."""
    _epoch(BadVideoHook(0.29), _runner(tmp_path), *((f'v{i}', 'E') for i in range(29)))


def test_the_limit_is_for_one_epoch(tmp_path):
    hook, runner = BadVideoHook(0.05), _runner(tmp_path)
    for epoch in range(3):
        _epoch(hook, runner, *((f'{epoch}-{i}', 'E') for i in range(4)))
    assert len(_warnings(runner)) == 12


def test_a_resumed_run_names_none_again_and_a_new_one_does(tmp_path):
    hook, runner, checkpoint = BadVideoHook(0.05), _runner(tmp_path), {}
    _epoch(hook, runner, ('a', 'E'))
    hook.before_save_checkpoint(runner, checkpoint)
    for iteration, expected in ((PER_EPOCH, 0), (0, 1)):
        hook, runner = BadVideoHook(0.05), _runner(tmp_path, iteration=iteration)
        hook.after_load_checkpoint(runner, checkpoint)
        hook.before_train(runner)
        _epoch(hook, runner, ('a', 'E'))
        assert len(_warnings(runner)) == expected
    hook.after_load_checkpoint(runner, {})  # a checkpoint of a run without the hook


def test_a_data_set_without_substitutes_is_told(tmp_path):
    data = SimpleNamespace(pipeline=None)
    runner = _runner(tmp_path, data)
    BadVideoHook().before_train(runner)
    assert 'PathListDataset' in _warnings(runner)[0]


def test_any_file_name_can_be_written(tmp_path):
    names = ['a b.mp4', '"q",\n.mp4', b'caf\xe9.mp4'.decode('utf-8', 'surrogateescape')]
    path = tmp_path / 'bad.csv'
    write_bad_videos(path, {name: dict(problem='E', epoch=0) for name in names})
    with path.open(newline='', encoding='utf-8', errors='surrogateescape') as file:
        assert [row['path'] for row in csv.DictReader(file)] == names


@pytest.mark.parametrize(
    'options',
    [dict(max_bad_fraction=-0.1), dict(max_bad_fraction=1), dict(interval=0), dict(interval=1.5)],
)
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ValueError, match=f'{next(iter(options))} is'):
        BadVideoHook(**options)
