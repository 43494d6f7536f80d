"""Benchmarks are scripts that import each other from their own folder."""

import importlib
import logging
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'benchmarks'


@pytest.fixture(autouse=True)
def _logging_stays_on():
    yield
    logging.disable(logging.NOTSET)  # a script that runs here turns it off


@pytest.fixture
def benchmark_module(mmaction_scope, monkeypatch):
    """Imports a script of the benchmarks folder by name."""
    monkeypatch.setattr(sys, 'path', [str(FOLDER), *sys.path])
    return importlib.import_module
