"""The acceptance on a GPU, rehearsed on the CPU."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
BROKEN = """
import os
import time

import pmd_mmaction  # as the real parts do: later tests are forked off the same server
from acceptance_rows import Row, at_most


def raises(settings):
    yield Row('before', 1.0)
    raise RuntimeError('what went wrong')


def hangs(settings):
    yield Row('before', 1.0)
    child = os.fork()  # something that it started
    if child:
        (settings.scratch.parent / 'child').write_text(str(child))
    time.sleep(600)


def dies(settings):
    yield Row('before', 1.0)
    os._exit(3)


def works(settings):
    yield at_most('a number', float('nan'), 1.0)
    yield at_most('another', 0.5, 1.0)
"""


@pytest.mark.slow
def test_all_parts_on_the_cpu(tmp_path):
    script = ROOT / 'benchmarks/gpu_acceptance.py'
    command = [sys.executable, script, '--tiny', '--device', 'cpu', '--out', tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    report = json.loads((tmp_path / 'acceptance.json').read_text())
    assert done.returncode == 0, (tmp_path / 'acceptance.md').read_text()
    assert len(report['parts']) == 11 and report['failed'] == 0
    for name, part in report['parts'].items():
        assert part['rows'], name
        assert f'## {name} (' in (tmp_path / 'acceptance.md').read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ['acceptance.json', 'acceptance.md']


@pytest.fixture
def accepted(benchmark_module, tmp_path, monkeypatch):
    """Runs parts of a module of their own; their rows and the exit code."""
    script = benchmark_module('gpu_acceptance')
    (tmp_path / 'broken_parts.py').write_text(BROKEN)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)

    def run(*names, seconds=60):
        parts = tuple(script.Part(name, f'broken_parts:{name}', seconds) for name in names)
        monkeypatch.setattr(script, 'PARTS', parts)
        arguments = ['gpu_acceptance.py', '--device', 'cpu', '--out', str(tmp_path / 'out')]
        monkeypatch.setattr(sys, 'argv', arguments)
        code = script.main()
        report = json.loads((tmp_path / 'out/acceptance.json').read_text())
        return code, {name: part['rows'] for name, part in report['parts'].items()}

    return run


def test_a_part_that_fails_does_not_stop_the_others(accepted):
    code, found = accepted('raises', 'dies', 'works')
    assert code == 1
    assert [row['name'] for row in found['raises']] == ['before', 'ended by an error']
    assert found['raises'][1]['note'] == 'RuntimeError: what went wrong'
    assert found['dies'][1]['note'] == 'exit code 3'
    assert [row['passed'] for row in found['works']] == [False, True]  # NaN is above every limit


@pytest.mark.slow
def test_a_part_that_hangs_is_ended_with_what_it_started(accepted, tmp_path):
    begin = time.monotonic()
    code, found = accepted('hangs', seconds=40)
    assert code == 1 and time.monotonic() - begin < 90
    assert [row['name'] for row in found['hangs']] == ['before', 'in time']
    status = Path('/proc', (tmp_path / 'out/child').read_text(), 'status')
    end = time.monotonic() + 30  # on a busy machine a killed process lasts a moment
    while status.exists() and 'State:\tZ' not in status.read_text():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_times_are_judged_on_a_gpu_at_full_size(benchmark_module):
    rows = benchmark_module('acceptance_rows')
    cases = ('cuda', False, True), ('cuda', True, False), ('cpu', False, False)
    for device, tiny, judged in cases:
        row = rows.Settings(device, tiny, Path()).timed('a ratio', 2.0, 1.0)
        assert (row.threshold != '', row.passed) == (judged, not judged)


def test_a_cosine_of_many_numbers_is_not_above_1(benchmark_module):
    numbers = benchmark_module('acceptance_numbers')
    x = torch.randn(2**24 + 7, generator=torch.Generator().manual_seed(0)) + 1
    assert numbers.cosine(x, 3 * x) == pytest.approx(1, abs=1e-7)
    assert numbers.cosine(torch.tensor([1.0, 0]), torch.tensor([1.0, 1])) == pytest.approx(0.5**0.5)
