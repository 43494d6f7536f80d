"""Runs side by side: a verdict for each and one picture."""

import json

import matplotlib
import pytest

from pmd_mmaction.visualization import plot_health
from tools import compare_runs

matplotlib.use('Agg')


def _write(run, **curves):
    log = run / '20260101_000000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    lines = [dict({k: c * s for k, c in curves.items()}, step=s) for s in range(1, 21)]
    log.write_text('\n'.join(map(json.dumps, lines)))
    return run


def test_verdicts_and_a_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    runs = [
        _write(tmp_path / 'good[lr=3]', explained_vid=0.02, feature_rank=1),
        _write(tmp_path / 'stuck', explained_vid=0.0, feature_rank=1),
    ]
    picture = tmp_path / 'runs.png'
    compare_runs.main([*map(str, runs), f'--out={picture}'])
    assert picture.stat().st_size > 5000
    printed = capsys.readouterr().out
    for word in ('good[lr=3]', 'healthy', 'stuck', 'plateau'):
        assert word in printed
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='has no \\*/vis_data/scalars.json'):
        compare_runs.main([str(tmp_path / 'empty')])


def test_a_link_is_named_as_it_is(tmp_path):
    _write(tmp_path / 'long_name', explained_vid=0.02)
    (tmp_path / 'short').symlink_to(tmp_path / 'long_name')
    assert list(compare_runs.read_runs([str(tmp_path / 'short')])) == ['short']


def test_terms_are_drawn_over_base():
    scalars = dict(term_norm_base={1: 2.0, 3: 4.0}, term_norm_al={1: 6.0, 3: 4.0})
    panels = {panel.get_title(): panel for panel in plot_health(dict(run=scalars)).axes}
    (line,) = panels['pull of a term over base'].lines
    assert line.get_xydata().tolist() == [[1, 3], [3, 1]]


def test_a_step_without_gradient_is_passed_over():
    scalars = dict(term_norm_base={1: 2.0, 2: 2.0, 3: 4.0}, term_norm_pg={1: 1.0, 2: 0.0, 3: 4.0})
    panels = {panel.get_title(): panel for panel in plot_health(dict(run=scalars)).axes}
    (line,) = panels['pull of a term over base'].lines
    assert line.get_xydata().tolist() == [[1, 0.5], [3, 1]]


def test_without_base_terms_are_drawn_over_the_first():
    scalars = dict(term_norm_pixel={1: 2.0, 3: 4.0}, term_norm_align={1: 6.0, 3: 4.0})
    panels = {panel.get_title(): panel for panel in plot_health(dict(run=scalars)).axes}
    (line,) = panels['pull of a term over base'].lines
    assert line.get_label() == 'align over pixel'
    assert line.get_xydata().tolist() == [[1, 3], [3, 1]]
