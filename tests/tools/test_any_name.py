"""Every tool prints names that are no UTF-8."""

import io
import runpy
import sys
from pathlib import Path

import pytest

from tests.every import every
from tests.tools.names import ODD_NAMES

TOOLS = Path(__file__).parents[2] / 'tools'


@every('tool', sorted(TOOLS.rglob('*.py')))
def test_any_name_is_printed(monkeypatch, tool):
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(io.BytesIO(), 'utf-8'))
    monkeypatch.setattr(sys, 'argv', [str(tool), '--help'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(tool), run_name='__main__')
    print(*ODD_NAMES, flush=True)
    assert b'\\udce9' in sys.stdout.buffer.getvalue()


@pytest.mark.parametrize('encoding, shown', [('utf-8', 'é\\udce9'), ('ascii', '\\xe9\\udce9')])
def test_what_cannot_be_encoded_is_escaped(monkeypatch, encoding, shown):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, encoding))
    runpy.run_path(str(TOOLS / 'environment.py'))
    print('é\udce9', end='', flush=True)
    assert raw.getvalue().decode(encoding) == shown


def test_another_standard_output_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    runpy.run_path(str(TOOLS / 'environment.py'))
    print('é\udce9', end='')
    assert sys.stdout.getvalue() == 'é\udce9'
