"""The verdict on a run, from its scalars."""

import math

import pytest

from pmd_mmaction.diagnosis.run_health import judge_run
from pmd_mmaction.evaluation import LinearProbeMetric

PROBE = f'{LinearProbeMetric.default_prefix}/top1'
KNN_FELL = {'knn/top1': lambda x: 0.7 if x < 0.5 else 0.5}
STEPS = range(10, 1010, 10)


def _run(**changes):
    """A healthy run, some of its curves (functions of the share that is over) replaced."""
    curves = dict(
        explained_img=lambda x: 0.5 * x,
        explained_place_img=lambda x: 0.3 * x - 0.1,
        feature_rank=lambda x: 6,
        feature_spread=lambda x: 0.2,
        term_norm_base=lambda x: 2,
        term_norm_al=lambda x: 3,
    )
    curves |= changes
    scalars = {key: {s: curve(s / 1000) for s in STEPS} for key, curve in curves.items() if curve}
    return {
        key: {s: v for s, v in values.items() if v is not None} for key, values in scalars.items()
    }


@pytest.mark.parametrize(
    'changes, verdict, words',
    [
        ({}, 'healthy', 'explained_img 0.45'),
        (dict(feature_rank=lambda x: 1.1), 'collapse', 'feature_rank is 1.1'),
        (dict(explained_img=None, loss=lambda x: math.nan), 'diverged', 'loss is nan at the end'),
        (dict(feature_spread=lambda x: 0.01), 'collapse', 'feature_spread is 0.010'),
        (dict(explained_img=lambda x: 0.01), 'plateau at the mean', 'explained_img 0.01'),
        (dict(explained_img=lambda x: 0.5 - x / 4), 'rate too high', 'fell from 0.4'),
        (dict(explained_img=lambda x: -0.3 - 3 * x), 'rate too high', 'fell from -0'),
        (dict(explained_img=lambda x: -4.5 - x / 4), 'worse than the mean', 'explained_img -4.7'),
        (dict(explained_img=lambda x: 0.0, feature_rank=lambda x: 1.1), 'collapse', 'rank'),
        (dict(skipped_steps=lambda x: 2 if x > 0.5 else None), 'rate too high', '0.2%'),
        (dict(skipped_steps=lambda x: 1), 'healthy', ''),
        (dict(skipped_steps=lambda x: 6, scale_steps=lambda x: 5), 'healthy', ''),
        (dict(skipped_steps=lambda x: 6, scale_steps=lambda x: 4), 'rate too high', '0.2%'),
        (dict(explained_img=lambda x: 0.4 if x < 0.8 else math.nan), 'diverged', 'is nan'),
        (dict(explained_img=lambda x: math.nan if x == 0.9 else 0.4), 'healthy', '0.40'),
        (dict(feature_rank=lambda x: math.nan), 'collapse', 'feature_rank is 0.0'),
        (dict(term_norm_al=lambda x: 22), 'base outweighed', 'al pulls 11 times'),
        (dict(explained_img=None, explained_place_img=None), 'unknown', 'no explained'),
        (dict(held_out_explained_img=lambda x: 0.5 * x - 0.3), 'overfit', '0.45, and 0.20 on'),
        (dict(held_out_explained_img=lambda x: 0.5 * x - 0.1), 'healthy', ''),
        (KNN_FELL, 'overfit', 'from 0.70 to 0.50'),
        (KNN_FELL | {'knn/queries': lambda x: 400}, 'overfit', 'knn/top1 fell from 0.70'),
        (KNN_FELL | {'knn/queries': lambda x: 25}, 'healthy', ''),
        (dict(time=lambda x: 2, data_time=lambda x: 0.3), 'healthy', ''),
        ({PROBE: lambda x: 0.7 if x < 0.5 else 0.5}, 'overfit', f'{PROBE} fell from 0.70'),
    ],
)
def test_each_curve_has_its_verdict(changes, verdict, words):
    findings = judge_run(_run(**changes))
    assert [finding.subject for finding in findings] == [verdict]
    assert words in findings[0].found
    assert bool(findings[0].remedy) == (verdict != 'healthy')


def test_late_data_are_told_beside_what_the_network_is():
    slow = dict(time=lambda x: 2, data_time=lambda x: 0.6)
    healthy, late = judge_run(_run(**slow))
    assert (healthy.subject, late.subject) == ('healthy', 'late data')
    assert '30% of the time' in late.found and late.remedy
    silent = judge_run(_run(explained_img=None, explained_place_img=None, **slow))
    assert [finding.subject for finding in silent] == ['unknown', 'late data']


def test_a_higher_mask_ratio_may_explain_less():
    def fall(x):
        return 0.5 if x < 0.5 else 0.3

    ratio = dict(mask_ratio=lambda x: 0.75 if x < 0.5 else 0.9)
    assert judge_run(_run(explained_img=fall, **ratio))[0].subject == 'healthy'
    assert judge_run(_run(explained_img=fall))[0].subject == 'rate too high'


def test_a_short_phase_of_scattered_values_has_no_verdict():
    """What the last 18 values of a healthy run were: the first three and the last three differ."""
    values = [0.2, 0.47, 0.51, 0.41, 0.33, 0.08, 0.08, 0.05, 0.15, 0.42, 0.26, 0.33, 0.43, 0.5]
    values += [0.46, 0.35, 0.3, 0.23]
    scalars = dict(explained_img={10 * step: value for step, value in enumerate(values, 1)})
    assert [finding.subject for finding in judge_run(scalars)] == ['healthy']
