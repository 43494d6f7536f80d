"""Records of skipped steps: on disk and back, and what they hold when little is known."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pmd_mmaction.hooks.nonfinite import step_recorder
from pmd_mmaction.hooks.nonfinite.restore_step import RecordedHistory, restore_model
from pmd_mmaction.hooks.nonfinite.step_record import (
    StepRecord,
    printable,
    read_tensors,
    write_tensors,
)
from pmd_mmaction.hooks.nonfinite.step_recorder import StepRecorder

RECORD = StepRecord(
    epoch=4,
    iter=13,
    rank=1,
    world_size=2,
    seed=7,
    reason='gradient',
    batches=[dict(iter=13, seed=2**62, mask_seed=None, losses=dict(loss='nan'), samples=[])],
    config="{'a': (1, 2)}",
)


def test_on_disk_and_back(tmp_path):
    path = RECORD.write(tmp_path)
    assert path.name == 'epoch_5_iter_14_rank_1.json'  # counted as in the log
    assert StepRecord.read(path) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize('text', ['{', '[]', '{}', '{"format": 1}'])
def test_something_else_is_refused(tmp_path, text):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(ValueError, match=r'a\.json is (not a step record|damaged)'):
        StepRecord.read(tmp_path / 'a.json')


@pytest.mark.parametrize('value', [0.5, math.inf, -math.inf, math.nan])
def test_every_number_survives_json(value):
    text = json.dumps(printable(value), allow_nan=False)
    assert float(json.loads(text)) == pytest.approx(value, nan_ok=True)


def test_tensors_that_share_memory_can_be_written(tmp_path):
    weight = torch.arange(6.0).view(2, 3)
    write_tensors(tmp_path / 'a.safetensors', dict(a=weight, b=weight.T))
    found = read_tensors(tmp_path / 'a.safetensors')
    assert torch.equal(found['a'], weight) and torch.equal(found['b'], weight.T)


def test_a_history_gives_the_rows_in_the_order_of_the_question():
    rows = torch.arange(6.0).view(3, 1, 2)
    history = RecordedHistory(dict(sample_idx=torch.tensor([5, 1, 9]), last=rows))
    last, stage = history.read([9, 5, 9])
    assert torch.equal(last, rows[[2, 0, 2]]) and stage is None


@pytest.mark.parametrize('noted', [{}, dict(by_place=torch.tensor(True))])
def test_a_history_says_whether_its_rows_cover_the_frame(noted):
    rows = dict(sample_idx=torch.tensor([5]), last=torch.zeros(1, 1, 2))
    assert RecordedHistory(rows | noted).by_place == bool(noted)


# --- a model and data that are not of this package ---


def _runner(model, tmp_path):
    return SimpleNamespace(
        model=model,
        optim_wrapper=SimpleNamespace(),
        hooks=[],
        epoch=0,
        iter=3,
        seed=None,
        work_dir=str(tmp_path),
        cfg=SimpleNamespace(filename='configs/run.py'),
        train_dataloader=SimpleNamespace(dataset=[1, 2, 3]),
    )


def test_a_foreign_model_is_recorded_and_restored(tmp_path):
    model = nn.Linear(2, 2)
    recorder = StepRecorder(tmp_path, max_dumps=1, dump_weights=True)
    runner = _runner(model, tmp_path)
    recorder.see_batch(runner, [torch.ones(1)], dict(loss=torch.tensor(math.inf)))
    record = StepRecord.read(recorder.write(runner, 'loss'))
    assert record.batches == [
        dict(iter=3, seed=None, mask_seed=None, losses=dict(loss='inf'), samples=[])
    ]
    assert (record.seed, record.phase, record.history) == (0, None, None)
    assert record.config == 'run.py'
    assert recorder.write(runner, 'loss') is None  # max_dumps
    other = nn.Linear(2, 2)
    restore_model(other, record, tmp_path)
    assert torch.equal(other.weight, model.weight) and torch.equal(other.bias, model.bias)


def test_the_scale_of_the_loss_is_recorded(tmp_path):
    runner = _runner(nn.Linear(1, 1), tmp_path)
    found = []
    for scaler in (None, torch.amp.GradScaler('cpu', 64.0), torch.amp.GradScaler(enabled=False)):
        runner.iter += 1
        runner.optim_wrapper = SimpleNamespace(loss_scaler=scaler)
        recorder = StepRecorder(tmp_path, max_dumps=9, dump_weights=False)
        found.append(StepRecord.read(recorder.write(runner, 'gradient')).loss_scale)
    assert found == [1, 64, 1]


def test_a_resumed_run_counts_the_records_that_are_there(tmp_path):
    runner = _runner(nn.Linear(1, 1), tmp_path)
    for iteration in range(4):
        runner.iter = iteration
        recorder = StepRecorder(tmp_path, max_dumps=2, dump_weights=False)
        assert (recorder.write(runner, 'loss') is None) == (iteration > 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_rank_that_joined_later_writes_no_more_than_the_main_one(tmp_path, monkeypatch):
    runner = _runner(nn.Linear(1, 1), tmp_path)
    assert StepRecorder(tmp_path, max_dumps=1, dump_weights=False).write(runner, 'loss')
    monkeypatch.setattr(step_recorder, 'get_rank', lambda: 3)
    assert StepRecorder(tmp_path, max_dumps=1, dump_weights=False).write(runner, 'loss') is None


def test_weights_are_written_once_per_row(tmp_path):
    recorder = StepRecorder(tmp_path, max_dumps=9, dump_weights=True)
    runner, names = _runner(nn.Linear(1, 1), tmp_path), []
    for updated in (False, False, True, False):
        runner.iter += 1
        if not updated:
            names.append(StepRecord.read(recorder.write(runner, 'loss')).weights)
        recorder.end_step(updated)
    assert names == [f'weights_iter_{i}.safetensors' for i in (5, 5, 8)]
    assert {p.name for p in tmp_path.glob('*.safetensors')} == set(names)
