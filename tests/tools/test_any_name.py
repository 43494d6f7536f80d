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
