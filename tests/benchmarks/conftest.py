"""Benchmarks are scripts that import each other from their own folder."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'benchmarks'


@pytest.fixture
def benchmark_module(mmaction_scope, monkeypatch):
    """Imports a script of the benchmarks folder by name."""
    monkeypatch.setattr(sys, 'path', [str(FOLDER), *sys.path])
    return importlib.import_module
