"""The table of configs/README.md is that of the script; costs are those of the parts."""

from pathlib import Path

import pytest

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
