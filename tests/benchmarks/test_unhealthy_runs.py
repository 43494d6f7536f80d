"""Runs that are made sick on purpose get their verdicts, in the smallest size that shows them."""

from argparse import Namespace

import pytest

from pmd_mmaction.diagnosis.run_health import judge_run
from tests.integration import tiny


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo', frames=12)


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, verdict, steps',
    [
        ('healthy', 'healthy', 200),
        ('collapse', 'collapse', 200),
        ('plateau', 'plateau at the mean', 60),
        ('rate', 'rate too high', 60),
    ],
)
def test_the_illness_is_named(benchmark_module, clips, tmp_path, name, verdict, steps):
    script = benchmark_module('unhealthy_runs')
    args = Namespace(
        data=clips,
        work_dir=tmp_path,
        videos=12,
        steps=steps,
        bank=12,
        evaluations=0,
        mask_ratio=0.75,
    )
    subjects = [finding.subject for finding in judge_run(script.run(name, args))]
    # a loss that jumps and comes back is told both now and then
    tolerated = 'collapse' if name == 'rate' else 'rate too high'
    assert [subject for subject in subjects if subject != tolerated] == [verdict]
