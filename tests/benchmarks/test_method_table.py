"""The table of configs/README.md is that of the script; costs are those of the parts."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from pmd_mmaction.functional import Phase

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'configs' / 'README.md').read_text(encoding='utf-8')
FREE = slice(0, 5)  # columns that need no model
ROWS = [
    [cell.strip() for cell in line.strip('|').split('|')]
    for line in TEXT.splitlines()
    if line.startswith('| ') and 'not yet run' in line
]


@pytest.fixture
def script(benchmark_module):
    return benchmark_module('method_table')


def test_every_config_has_its_row(script, monkeypatch):
    monkeypatch.setattr(script, 'cost', lambda cfg: ('', ''))
    expected = [list(script.row(model)) for model in script.models()]
    assert len(expected) >= 19
    assert [row[FREE] + row[7:] for row in ROWS] == [row[FREE] + row[7:] for row in expected]


@pytest.mark.parametrize('name', ['amd_vit-s_k400_pretrain', 'videomae_vit-s_k400_pretrain'])
def test_costs(script, name):
    (model,) = (model for model in script.models() if model['Name'] == name)
    assert list(script.row(model)) in ROWS


@pytest.mark.slow
def test_the_whole_table(script):
    assert script.table() in TEXT


def test_every_link_exists():
    targets = [cell.split('](')[1].rstrip(')') for row in ROWS for cell in row if '](' in cell]
    assert targets and all((ROOT / 'configs' / target).is_file() for target in targets)


def test_parts_of_a_step(benchmark_module):
    """A step is its parts, the trained ones three times; a view saves what it leaves out."""
    flops = benchmark_module('flops')
    cfg = Config.fromfile(ROOT / 'configs' / 'amd' / 'vit-tiny_demo_pretrain.py').model
    costs = {}
    for view in ('teacher', None):
        cfg.teachers.vid.view = view
        model = flops.build_without_weights(cfg)
        costs[view] = flops.iteration_gflops(model, Phase(0, 0.9, 0, 1))
    assert costs['teacher']['vid teacher'] < costs[None]['vid teacher'] / 3
    parts = costs['teacher']
    trained = parts['encoder'] + parts['decoders'] + parts["terms' layers"]
    assert parts['step'] == pytest.approx(parts['vid teacher'] + 3 * trained)
    assert parts['pixel teacher'] == 0 and parts["terms' layers"] > 0


def test_a_linear_layer_is_counted_by_hand(benchmark_module):
    layer = torch.nn.Linear(5, 7)
    found = benchmark_module('flops').count_flops(lambda: layer(torch.zeros(3, 5)))
    assert found == 2 * 3 * 5 * 7
