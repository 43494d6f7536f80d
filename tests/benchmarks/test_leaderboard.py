"""The leaderboard: its statistics, and a board that is run and taken up again."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from tests.integration import tiny

ROOT = Path(__file__).parents[2]


def cells(*values, seeds=None):
    seeds = seeds or range(len(values))
    return [dict(seed=s, top1=dict(linear=v)) for s, v in zip(seeds, values, strict=True)]


@pytest.fixture
def table(benchmark_module):
    return benchmark_module('board_table')


@pytest.fixture
def board(benchmark_module):
    return benchmark_module('leaderboard')


@pytest.fixture
def configs(board):
    return sys.modules['board_configs']


def test_the_interval_and_the_test_are_those_of_student(table):
    values = [0.3, 0.1, 0.25, 0.4, 0.2]
    found = table.estimate(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_one_value_has_no_interval(table):
    assert np.isnan(table.estimate([0.5]).half) and np.isnan(table.estimate([0.5]).p)


def test_seeds_are_paired(table):
    base = cells(0.5, 0.9, 0.1)
    better = cells(0.91, 0.11, 0.52, seeds=[1, 2, 0])
    found = table.effect([(better, base)], 'linear')
    assert found.mean == pytest.approx(0.04 / 3)
    assert found.p == pytest.approx(stats.ttest_rel([0.52, 0.91, 0.11], [0.5, 0.9, 0.1]).pvalue)


def test_a_row_has_what_all_its_seeds_have(table):
    some = cells(0.5, 0.7)
    some[1]['top1']['finetune'] = 0.9
    for cell in some:
        cell.update(epochs=2, gflops_per_video=1.0)
    (row,) = table.summarize(dict(a=some))
    assert row.top1.keys() == {'linear'}


def test_an_effect_is_the_mean_over_its_pairs_of_a_seed(table):
    a, b, c, d = cells(0.5, 0.7), cells(0.4, 0.5), cells(0.9, 0.6, 0.1), cells(0.6, 0.8, 0.1)
    found = table.effect([(a, b), (c, d)], 'linear')
    assert found.mean == pytest.approx((0.1 + 0.3 + 0.2 - 0.2) / 4)
    assert found.half == pytest.approx(table.estimate([0.2, 0.0]).half)
    results = dict(a=a, b=b, c=c, d=d)
    _, _, row = table.effects_as_markdown(results, dict(E=[('a', 'b'), ('c', 'd')])).splitlines()
    assert row.startswith('| E | +10.0 ± ')


@pytest.mark.parametrize('text', ['E', 'E=', 'E=a', 'E=a/b/c', '=a/b'])
def test_an_effect_that_is_none_is_refused(board, text, capsys):
    with pytest.raises(SystemExit):
        board.parse_args(['a=configs/pmd/vit-tiny_demo_pretrain.py', '--effects', text])
    assert 'is not NAME=A/B' in capsys.readouterr().err


def test_an_effect_of_other_methods_is_refused(board, capsys):
    with pytest.raises(SystemExit):
        board.parse_args(['a=configs/pmd/vit-tiny_demo_pretrain.py', '--effects', 'E=a/b'])
    assert "--effects has ['b'], which are not among the methods" in capsys.readouterr().err


def test_two_methods_of_one_name_are_refused(board, capsys):
    with pytest.raises(SystemExit):
        board.parse_args(['a=configs/pmd/vit-tiny_demo_pretrain.py'] * 2)
    assert 'two of the methods have one name: a a' in capsys.readouterr().err


@pytest.mark.parametrize('change', ['auto_scale_lr.enable=True', 'train_cfg.max_epochs=7'])
def test_a_cell_knows_all_of_its_training(board, change):
    plain = 'a=configs/pmd/vit-tiny_demo_pretrain.py'
    found = {board.digest(board.parse_method(text), 4) for text in (plain, f'{plain}:{change}')}
    assert len(found) == 2


def test_a_changed_config_is_trained_anew(board, tmp_path):
    """Not evaluated by the student that its name had before."""
    config, places = 'configs/pmd/vit-tiny_demo_pretrain.py', set()
    args = board.parse_args([f'a={config}', f'--work-dir={tmp_path}', f'--data={tmp_path}'])
    for changes in ({}, {'model.base.loss_weight': 9.0}):
        places.add(board.work_path(board.Method('a', config, changes), 0, 4, args))
    assert len(places) == 2


def test_a_cell_knows_its_videos_and_teachers(board, configs, tmp_path):
    method = board.parse_method('a=configs/pmd/vit-tiny_demo_pretrain.py')
    places = {name: tmp_path / name for name in ('data', 'teachers', 'results')}
    args = board.parse_args(
        [f'a={method.config}', *(f'--{name}={place}' for name, place in places.items())]
    )
    assert board.sources(method, 4, args) == {}, 'a finished board needs neither'
    for name in ('data/meta.json', 'data/train.txt', 'data/val.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ('teachers/image_teacher.pth', 'teachers/video_teacher/epoch_24.pth'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict=dict(w=torch.ones(2)), meta=dict(time='now')), tmp_path / name)
    found = board.sources(method, 4, args)
    assert found.keys() == {'videos', 'teachers'}
    work, clips = board.work_path(method, 0, 4, args), board.clips_path(args)
    cell = board.cell_path(method, 0, 4, args)
    cell.parent.mkdir(parents=True)
    cell.write_text(
        json.dumps(dict(found, digest=board.digest(method, 4), top1=dict.fromkeys(board.FROZEN, 1)))
    )
    assert board.is_finished(method, 0, 4, args)
    assert len(board.lengths(method, args)) == 1
    image = tmp_path / 'teachers' / 'image_teacher.pth'
    for weights, same in ((torch.ones(2), True), (torch.zeros(2), False)):
        torch.save(dict(state_dict=dict(w=weights), meta=dict(time='later')), image)
        configs.weights_digest.cache_clear()
        assert (board.work_path(method, 0, 4, args) == work) == same
        if not same:
            with pytest.raises(SystemExit, match='with other teachers: .* --teachers nowhere'):
                board.is_finished(method, 0, 4, args)
            assert board.lengths(method, args) == []
            args.teachers = tmp_path / 'nowhere'
        assert board.is_finished(method, 0, 4, args)
    (tmp_path / 'data' / 'meta.json').write_text('of another seed')
    with pytest.raises(SystemExit, match='was trained with other videos: name other --results$'):
        board.is_finished(method, 0, 4, args)
    assert board.clips_path(args) != clips


def test_a_board_without_a_data_set_is_refused(board, tmp_path):
    options = [f'--{name}={tmp_path / name}' for name in ('data', 'results', 'work-dir')]
    with pytest.raises(SystemExit, match='data is no data set of tools/data/make_demo_dataset.py'):
        board.main(['a=configs/pmd/vit-tiny_demo_pretrain.py', *options])


def test_clips_are_of_their_lists(board, tmp_path):
    (tmp_path / 'meta.json').touch()
    args = board.parse_args(['a=configs/pmd/vit-tiny_demo_pretrain.py', f'--data={tmp_path}'])
    paths = []
    for entry in ('a.mp4 0', 'b.mp4 0'):
        for split in ('train', 'val'):
            (tmp_path / f'{split}.txt').write_text(entry)
        paths.append(board.clips_path(args))
    assert paths[0] != paths[1] and paths[1].name.startswith(tmp_path.name)


@pytest.mark.parametrize('device, hidden', [('cpu', ''), ('cuda', None)])
@pytest.mark.parametrize('interrupted', [False, True])
def test_a_training_in_parts_has_no_seconds(
    benchmark_module, monkeypatch, tmp_path, device, hidden, interrupted
):
    cell, seen = benchmark_module('board_cell'), {}
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    monkeypatch.setattr(
        cell.child_process,
        'run',
        lambda *a, env, **k: seen.update(env) or 0,
    )
    if interrupted:
        (tmp_path / 'last_checkpoint').touch()
    assert cell.train('a.py', 0, tmp_path, device) == (None if interrupted else 0)
    assert seen.get('CUDA_VISIBLE_DEVICES') == hidden


@pytest.fixture
def two_methods():
    cell = dict(epochs=2, gflops_per_video=0.5)
    values = dict(a=((0.5, 0.2), (0.6, 0.3)), b=((0.5, 0.3), (0.6, 0.5)))
    return {
        name: [
            dict(cell, seed=seed, top1=dict(linear=linear, knn=knn))
            for seed, (linear, knn) in enumerate(pairs)
        ]
        for name, pairs in values.items()
    }


def test_the_gain_is_that_of_the_metric_asked_for(table, two_methods):
    rows = table.summarize(two_methods, 'knn')
    header, _, _, row = table.as_markdown(rows, 'knn').splitlines()
    assert '| kNN, gain |' in header and '| +15.0 ±' in row
    header, _, _, row = table.as_markdown(table.summarize(two_methods)).splitlines()
    assert '| linear, gain |' in header and '| +0.0 ±' in row


def test_the_board_as_json(table, two_methods):
    two_methods['c'] = two_methods['b'][:1]
    a, b, c = json.loads(table.as_json(table.summarize(two_methods, 'knn')))
    assert a['gain'] is None and a['top1']['knn']['mean'] == pytest.approx(0.25)
    assert b['gain']['mean'] == pytest.approx(0.15) and b['seeds_for_2_points'] > 10
    assert c['gain']['half'] is None and c['seeds_for_2_points'] is None


def test_seeds_that_two_points_need(table):
    found = table.estimate([0.03, 0.01, -0.02, 0.04, 0.0])
    needed = table.seeds_for(0.02, found.half, 5)
    halves = [
        stats.t.ppf(0.975, n - 1) * np.std([0.03, 0.01, -0.02, 0.04, 0.0], ddof=1) / n**0.5
        for n in (needed - 1, needed)
    ]
    assert halves[0] > 0.02 >= halves[1]
    assert table.seeds_for(found.half, found.half + 1e-12, 5) == 6
    assert table.seeds_for(found.half + 1e-12, found.half, 5) == 5


def test_a_metric_that_is_not_evaluated_is_refused(board, capsys):
    with pytest.raises(SystemExit):
        board.parse_args(['a=configs/pmd/vit-tiny_demo_pretrain.py', '--metric', 'finetune'])
    assert '--metric finetune is not among --evaluate' in capsys.readouterr().err


def test_epochs_are_shared_among_the_phases(configs):
    assert configs.share(16, 4) == [4, 4, 4, 4]
    assert configs.share(14, 4) == [4, 4, 3, 3]


def test_fewer_epochs_than_phases_are_refused(board, configs):
    method = board.parse_method('a=configs/pmd/vit-tiny_demo_pretrain.py')
    with pytest.raises(SystemExit, match='^a: 3 epochs for 4 phases: raise --epochs'):
        configs.require_epochs(method, 3)


@pytest.mark.parametrize(
    ('method', 'expected'),
    [
        ('base=configs/pmd/vit-tiny_demo_pretrain.py', 1),
        ('masks=configs/pmd/vit-tiny_demo_pretrain.py:model.num_masks=2', 2),
        ('v2=configs/videomaev2/vit-tiny_demo_pretrain.py', 4),  # clips of a video
    ],
)
def test_a_video_gives_a_pass_for_each_clip_and_mask(board, configs, method, expected):
    assert board.passes(configs.resolve(board.parse_method(method), 12)) == expected


def test_a_method_is_a_config_and_changes(board):
    config = 'configs/pmd/vit-tiny_demo_pretrain.py'
    found = board.parse_method(f'half={config}:model.clfa.loss_weight=0.5:model.psd=None')
    assert found == ('half', config, {'model.clfa.loss_weight': 0.5, 'model.psd': None})


@pytest.mark.parametrize(
    'text, message',
    [('configs/x.py', 'is not NAME=CONFIG'), ('a=nowhere.py', 'there is no config')],
)
def test_other_methods_are_refused(board, text, message):
    with pytest.raises(Exception, match=message):
        board.parse_method(text)


@pytest.mark.slow
def test_a_board_goes_on_where_it_stopped(table, tmp_path):
    videos = tiny.make_clips(tmp_path / 'clips')
    cfg = tiny.tiny_config(videos, tmp_path)
    curriculum = dict(type='ProgressivePhaseHook', phases=[(0.75, 2)])
    cfg.default_hooks.update(
        step_seed=dict(type='StepSeedHook'),
        curriculum=curriculum,
        difficulty=dict(type='DAREHook', stage_epochs=1),
    )
    cfg.custom_hooks, cfg.train_cfg = [], dict(type='ResumableTrainLoop')
    cfg.pop('param_scheduler')
    cfg.dump(tmp_path / 'config.py')

    def run(*methods, options=()):
        command = [
            *(sys.executable, '-W', 'ignore', 'benchmarks/leaderboard.py'),
            *(f'{name}={tmp_path / "config.py"}{changes}' for name, changes in methods),
            *('--seeds', '1', '--epochs', '2', '--jobs', '1', '--device', 'cpu'),
            *('--data', str(videos), '--results', str(tmp_path / 'results')),
            *('--work-dir', str(tmp_path / 'work'), '--plot', str(tmp_path / 'board.png')),
            *options,
        ]
        environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert '| a | 2 |' in run(('a', ''))
    (path,) = tmp_path.glob('results/*/a_2epochs_seed0.json')
    first = json.loads(path.read_text())
    assert set(first['top1']) == {'knn', 'linear', 'linear_few', 'attentive'}
    printed = run(('a', ''), ('b', ':model.clfa=None'), options=['--evaluate', *table.METRICS])
    assert '| a | 2 |' in printed and '| b | 2 |' in printed
    again = json.loads(path.read_text())
    assert again['top1'].items() > first['top1'].items(), 'a later evaluation is added'
    assert all(again[key] == first[key] for key in ('seconds', 'machine')), 'no other training'
    (path,) = tmp_path.glob('results/*/b_2epochs_seed0.json')
    second = json.loads(path.read_text())
    assert second['top1'].keys() == again['top1'].keys() == table.METRICS.keys()
    assert second['changes'] == {'model.clfa': None}
    assert second['gflops_per_video'] < first['gflops_per_video']
    assert (tmp_path / 'board.png').stat().st_size > 5000


def test_no_config_is_written_by_a_thread(board, configs, monkeypatch, tmp_path):
    """yapf, which lays configs out, fails in one of two threads that begin at once."""
    threads = []
    dump = configs.Config.dump
    monkeypatch.setattr(
        configs.Config, 'dump', lambda *a: threads.append(threading.current_thread()) or dump(*a)
    )
    commands = []
    monkeypatch.setattr(board, 'run_cell', commands.append)
    monkeypatch.setattr(board, 'write_clips', lambda args: None)
    for name in ('meta.json', 'train.txt', 'val.txt'):
        (tmp_path / name).touch()
    options = [f'--{name}={tmp_path / name}' for name in ('results', 'work-dir')]
    with pytest.raises(FileNotFoundError):  # the cells, which were not run
        board.main(
            ['a=configs/pmd/vit-tiny_demo_pretrain.py', f'--data={tmp_path}', '--seeds=2', *options]
        )
    assert threads == [threading.main_thread()] * 2
    configs = [Path(word) for command in commands for word in command if word.endswith('config.py')]
    assert len(configs) == 2 and all(path.exists() for path in configs)


@pytest.mark.parametrize('student', [True, False])
def test_what_a_cell_lacks_is_run_only_where_its_student_is(board, tmp_path, student):
    method = board.parse_method('a=configs/pmd/vit-tiny_demo_pretrain.py')
    options = ['--results', str(tmp_path / 'results'), '--work-dir', str(tmp_path / 'work')]
    args = board.parse_args([f'a={method.config}', *options])
    cell, work = board.cell_path(method, 0, 2, args), board.work_path(method, 0, 2, args)
    assert not board.is_finished(method, 0, 2, args)
    for folder in (cell.parent, work):
        folder.mkdir(parents=True)
    if student:
        (work / 'student.pth').touch()
    found = dict(digest=board.digest(method, 2), top1=dict.fromkeys(board.FROZEN, 0.5))
    cell.write_text(json.dumps(found))
    assert board.is_finished(method, 0, 2, args)
    args.evaluate = ['linear', 'finetune']
    assert board.is_finished(method, 0, 2, args) != student
    args.metric = 'finetune'
    if not student:
        with pytest.raises(SystemExit, match='has no finetune, and its student is gone'):
            board.is_finished(method, 0, 2, args)


# ---------------------------------------------------------------------- classifiers


@pytest.fixture
def training(benchmark_module):
    return benchmark_module('board_training')


def test_the_rate_warms_up_and_falls_to_zero(training):
    rates = [training.rate(step, 100) for step in range(101)]
    assert rates[:2] == [0.1, 0.2] and rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5) and rates[100] == pytest.approx(0)


def test_the_attentive_probe_finds_what_the_mean_hides(training):
    """One token of 8 tells the class; which one it is differs from clip to clip."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(1024, 8, 16, generator=generator)
    labels = torch.randint(0, 2, (1024,), generator=generator)
    tokens[torch.arange(1024), torch.randint(0, 8, (1024,), generator=generator), 0] = 6.0
    chosen = tokens[..., 0].argmax(1)
    tokens[torch.arange(1024), chosen, 1] = labels * 6.0 - 3
    split = dict(train=tokens[:768], val=tokens[768:])
    scores = training.attentive_probe(split, labels[:768], 'cpu')
    assert (scores.argmax(1) == labels[768:]).float().mean() > 0.9


class Pixels(torch.nn.Module):
    """An encoder whose four tokens are the channels' means, scaled."""

    embed_dims = 3

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    def encode(self, clips):
        tokens = self.scale * clips.mean((2, 3, 4))
        return SimpleNamespace(tokens=tokens[:, None].expand(-1, 4, -1))


def test_fine_tuning_starts_from_the_probe_and_changes_the_encoder(training):
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(0, 255, (40, 3, 2, 16, 16), generator=generator, dtype=torch.uint8)
    videos, labels = dict(train=clips[:24], val=clips[24:]), torch.arange(24) % 3
    start = torch.randn(3, 3, generator=generator), torch.randn(3, generator=generator)
    scores = {}
    for epochs in (0, 2):
        encoder = Pixels()
        call = (encoder, lambda c: c.float(), videos, labels, epochs, start)
        scores[epochs] = training.fine_tuning(*call)
        assert bool((encoder.scale != 1).all()) == bool(epochs)
    expected = clips[24:].float().mean((2, 3, 4)) @ start[0].T + start[1]
    torch.testing.assert_close(scores[0], expected)
    assert not torch.allclose(scores[2], expected)


def test_a_shift_keeps_the_pixels(training):
    clips = torch.zeros(1, 3, 2, 16, 16, dtype=torch.uint8)
    clips[0, :, :, 8, 8] = 200
    moved = training.shift(clips.expand(20, -1, -1, -1, -1))
    assert moved.dtype == torch.uint8 and moved.shape[1:] == clips.shape[1:]
    places = moved[:, 0, 0].flatten(1).argmax(1)
    assert (moved.flatten(1) == 200).sum(1).eq(6).all() and places.unique().numel() > 5
    rows, columns = places // 16, places % 16
    assert rows.sub(8).abs().max() <= 4 and columns.sub(8).abs().max() <= 4


def test_a_cell_of_a_config_that_changed_is_not_taken(board, tmp_path):
    config = 'configs/pmd/vit-tiny_demo_pretrain.py'
    method = board.Method('all', config, {})
    args = board.parse_args(['all=' + config, '--results', str(tmp_path), '--epochs', '4'])
    path = board.cell_path(method, 0, 4, args)
    path.parent.mkdir(parents=True)
    top1 = dict.fromkeys(board.METRICS, 0.5)
    path.write_text(json.dumps(dict(digest=board.digest(method, 4), top1=top1)))
    assert board.is_finished(method, 0, 4, args)
    other = method._replace(changes={'model.clfa.student_norm': 'none'})
    with pytest.raises(SystemExit, match='was trained by another config'):
        board.is_finished(other, 0, 4, args)
