"""Benchmarks that make training steps take a device, and wait for it."""

import argparse

import pytest
import torch

STEPS = ['step_time', 'reference_step', 'teacher_precision', 'finite_check', 'ceiling', 'growth']


def _parse(harness, *options):
    parser = argparse.ArgumentParser()
    harness.add_device(parser)
    return parser.parse_args(options).device


@pytest.mark.parametrize('there', [False, True])
def test_the_default_is_what_is_there(benchmark_module, monkeypatch, there):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: there)
    harness = benchmark_module('harness')
    assert _parse(harness) == ('cuda' if there else 'cpu')
    assert _parse(harness, '--device', 'cpu') == 'cpu'


@pytest.mark.parametrize('name, told', [('cuda', 'no GPU was found'), ('tpu', 'neither cpu nor')])
@pytest.mark.parametrize('script', STEPS)
def test_a_device_that_is_not_there(benchmark_module, monkeypatch, capsys, script, name, told):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr('sys.argv', [f'{script}.py', '--tiny', '--device', name])
    with pytest.raises(SystemExit):
        benchmark_module(script).main()
    assert told in capsys.readouterr().err


def test_the_clock_waits_for_the_device(benchmark_module, monkeypatch):
    harness, events = benchmark_module('harness'), []
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: events.append('wait'))
    monkeypatch.setattr(harness.time, 'perf_counter', lambda: events.append('clock') or 0.0)
    harness.interleave({'': lambda: events.append('step')}, repeats=1, warmup=0)
    assert events == ['wait', 'clock', 'step', 'wait', 'clock']


def test_memory_of_a_gpu_is_that_of_its_tensors(benchmark_module, monkeypatch):
    harness = benchmark_module('harness')
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, 'memory_allocated', lambda: 2**30)
    assert (harness.peak_gib('cuda'), harness.resident_gib('cuda')) == (3, 1)
    assert harness.peak_gib() != 3


def test_a_step_follows_its_model(benchmark_module):
    steps = benchmark_module('steps')
    model = steps.build_model(tiny=True).to('meta')
    step = steps.Step(model, 2)
    assert {x.device.type for x in (step.clips, *step.history)} == {'meta'}
    assert step.device.type == 'meta'
