"""Any file name can be printed."""

import io
import sys

import pytest

from pmd_mmaction.compat.terminal import accept_any_name


@pytest.mark.parametrize('encoding, shown', [('utf-8', 'é\\udce9'), ('ascii', '\\xe9\\udce9')])
def test_what_cannot_be_encoded_is_escaped(monkeypatch, encoding, shown):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, encoding))
    accept_any_name()
    print('é\udce9', end='', flush=True)
    assert raw.getvalue().decode(encoding) == shown


def test_another_standard_output_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    accept_any_name()
    print('é\udce9', end='')
    assert sys.stdout.getvalue() == 'é\udce9'
