"""Speed and time to go in the log of a run."""

import json

import pytest
import torch
from mmengine.config import Config

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks import ThroughputHook
from pmd_mmaction.hooks.throughput import throughput_hook
from pmd_mmaction.models import PMDRecognizer
from tests.integration import tiny
from tests.integration.shipped import config_of
from tests.integration.waits import host_waits

KEYS = ('passes_per_s', 'phase_hours_left', 'hours_left')
PRETRAIN = [name for name in tiny.SHIPPED if 'pretrain' in name]


def _run(clips, work_dir, peak=None, **changes):
    """Logged lines of a run of two phases of two epochs of three iterations, and its config."""
    hook = dict(type='ThroughputHook', peak_tflops=peak)
    cfg = tiny.tiny_config(clips, work_dir, hook, ratios=(0.5, 0.8), epochs=2, **changes)
    cfg.log_processor.window_size = 1
    runner = tiny.train(cfg)
    lines = next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [json.loads(line) for line in lines], runner


def test_the_log_agrees_with_time_and_operations(clips, tmp_path):
    lines, runner = _run(clips, tmp_path, peak=2.0)
    phases = PhaseSchedule([(0.5, 2), (0.8, 2)]).phases
    first, second = PMDRecognizer.step_gflops(runner.cfg.model, phases)
    assert len(lines) == 12 and second != first
    for line in lines:
        done, seconds = line['iter'], line['time']
        gflops = first if done <= 6 else second
        assert line['passes_per_s'] == pytest.approx(tiny.BATCH / seconds)
        assert line['mfu'] == pytest.approx(gflops * tiny.BATCH / seconds / 2000)
        phase = (6 - done if done <= 6 else 12 - done) * seconds
        later = 6 * seconds * second / first if done <= 6 else 0
        assert line['phase_hours_left'] == pytest.approx(phase / 3600)
        assert line['hours_left'] == pytest.approx((phase + later) / 3600)


def test_each_mask_on_each_rank_is_a_pass(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(throughput_hook, 'get_world_size', lambda: 8)
    lines, _ = _run(clips, tmp_path, model__num_masks=2)
    assert 'mfu' not in lines[-1]  # the peak of a CPU is not known
    assert lines[-1]['passes_per_s'] == pytest.approx(8 * 2 * tiny.BATCH / lines[-1]['time'])


def test_a_run_that_goes_on_from_an_earlier_one_counts_its_student(clips, tmp_path):
    tiny.train(tiny.tiny_config(clips, tmp_path / 'first', ratios=(0.5,), epochs=2))
    student = str(tmp_path / 'first' / 'student.pth')
    lines, runner = _run(clips, tmp_path / 'next', peak=2.0, phase=dict(prev_student=student))
    phases = PhaseSchedule([(0.5, 2), (0.8, 2)]).phases
    gflops = PMDRecognizer.step_gflops(runner.cfg.model, phases, 0.5)[0]
    assert gflops > PMDRecognizer.step_gflops(runner.cfg.model, phases)[0]
    assert lines[0]['mfu'] == pytest.approx(gflops * tiny.BATCH / lines[0]['time'] / 2000)


def test_what_cannot_be_counted_trains_all_the_same(clips, tmp_path, monkeypatch):
    def fail(*args):
        raise NotImplementedError('no operator for meta')

    monkeypatch.setattr(PMDRecognizer, 'step_gflops', staticmethod(fail))
    lines, _ = _run(clips, tmp_path, peak=2.0)
    assert all(key in lines[0] for key in KEYS) and 'mfu' not in lines[0]
    assert lines[0]['hours_left'] == pytest.approx(11 * lines[0]['time'] / 3600)


def test_it_changes_no_bit_of_the_run(clips, tmp_path):
    _, runner = _run(clips, tmp_path / 'with')
    cfg = tiny.tiny_config(clips, tmp_path / 'without', ratios=(0.5, 0.8), epochs=2)
    assert tiny.same(tiny.train(cfg).model.state_dict(), runner.model.state_dict())


def test_the_host_waits_for_nothing(clips, tmp_path):
    _, runner = _run(clips, tmp_path)
    hook, batch = tiny.hook_of(runner, ThroughputHook), dict(inputs=[torch.ones(1, 3)] * 4)
    with host_waits() as waits:
        hook.after_train_iter(runner, 0, batch)
    assert waits == []


@pytest.mark.parametrize(
    'wrapper, tf32, precision',
    [
        ({}, True, 'tf32'),
        ({}, False, 'float32'),
        (dict(cast_dtype=torch.bfloat16), True, 'bfloat16'),
        (dict(cast_dtype=None), True, 'float16'),
    ],
)
def test_the_precision_of_the_run_decides(monkeypatch, wrapper, tf32, precision):
    asked = []
    runner = Config(dict(optim_wrapper=wrapper))
    before = torch.backends.cuda.matmul.allow_tf32
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'a GPU')
    monkeypatch.setattr(throughput_hook, 'peak_tflops', lambda *args: asked.append(args))
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        throughput_hook._peak(runner, torch.device('cuda'))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    assert asked == [('a GPU', precision)]


def test_pre_training_in_phases_has_it():
    hooks = {name: config_of(name).default_hooks for name in PRETRAIN}
    phased = [name for name in PRETRAIN if 'curriculum' in hooks[name]]
    has_it = [n for n in phased if hooks[n].get('throughput') == dict(type='ThroughputHook')]
    assert phased and has_it == phased


def test_a_peak_is_positive():
    with pytest.raises(ValueError, match='peak_tflops is'):
        ThroughputHook(peak_tflops=0)
