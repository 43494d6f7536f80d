"""Phases, their learning rates and their students in a training on real mp4 files."""

import json
import math

import pytest
import torch

from tests.integration import tiny

LOSSES = {
    f'loss_{term}_{teacher}' for term in ('base', 'pg', 'df', 'al') for teacher in ('img', 'vid')
}
PER_PHASE = tiny.CLIPS // tiny.BATCH * tiny.EPOCHS


def test_every_term_is_logged_and_the_total_is_their_sum(steps):
    for step in steps:
        assert step['losses'].keys() == LOSSES | {'loss'}
        total = math.fsum(step['losses'][key] for key in LOSSES)
        assert step['losses']['loss'] == pytest.approx(total, rel=1e-5)
    assert steps[-1]['losses']['loss'] < steps[0]['losses']['loss']


def test_the_log_has_phase_and_mask_ratio(work_dir):
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line['phase'] for line in lines] == [1] * 9 + [2] * 9 + [3] * 9
    assert {(line['phase'], line['mask_ratio']) for line in lines} == set(
        enumerate(tiny.RATIOS, start=1)
    )
    assert LOSSES <= lines[0].keys()


def test_each_epoch_has_the_mask_ratio_of_its_phase(steps):
    assert [step['phase'].mask_ratio for step in steps] == [
        ratio for ratio in tiny.RATIOS for _ in range(PER_PHASE)
    ]
    assert [step['phase'].index for step in steps[::PER_PHASE]] == [0, 1, 2]


def test_every_phase_has_the_learning_rates_of_the_first(steps):
    rates = [step['lr'] for step in steps]
    first = rates[:PER_PHASE]
    assert first[0] == pytest.approx(1e-5) and max(first) == pytest.approx(1e-3)
    assert first[-1] < 0.2 * max(first)
    for start in (PER_PHASE, 2 * PER_PHASE):
        assert rates[start : start + PER_PHASE] == pytest.approx(first, rel=1e-9)


def test_the_optimizer_forgets_its_moments_at_each_boundary_only(steps):
    forgotten = [index for index, step in enumerate(steps) if step['moments'] == 0]
    assert forgotten == [0, PER_PHASE, 2 * PER_PHASE]


def test_the_student_of_each_phase_is_written(finished, work_dir):
    students = tiny.hook_of(finished[0], tiny.Watch).students
    for number, ratio in enumerate(tiny.RATIOS, start=1):
        content = tiny.read_checkpoint(work_dir / f'phase_{number}_student.pth')
        assert content['meta'] == dict(phase=number, mask_ratio=ratio)
        student = students[number * tiny.EPOCHS - 1]
        for key, value in content['state_dict'].items():
            assert torch.equal(value, student[key])
        assert {key.split('.')[0] for key in content['state_dict']} == {'backbone', 'decoders'}
    assert len(list(work_dir.glob('phase_*'))) == 3


def test_without_restart_one_schedule_runs_through(clips, tmp_path):
    cfg = tiny.tiny_config(
        clips, tmp_path, dict(type='Watch'), ratios=(0.5, 0.8), phase=dict(restart=False)
    )
    cfg.param_scheduler = [
        dict(type='CosineAnnealingLR', begin=0, end=6, T_max=6, convert_to_iter_based=True)
    ]
    watch = tiny.hook_of(tiny.train(cfg), tiny.Watch)
    rates = [step['lr'] for step in watch.steps]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 18
    assert [step['moments'] > 0 for step in watch.steps] == [False] + [True] * 17
    assert watch.auxiliary[3] is not None
