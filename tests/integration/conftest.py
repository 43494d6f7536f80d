"""Clips and finished runs that several tests look at."""

import pytest

from tests.integration import tiny


@pytest.fixture(scope='session')
def clips(tmp_path_factory):
    """A folder with 12 training clips."""
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


@pytest.fixture(scope='session')
def finished(clips, tmp_path_factory):
    """A run of three phases, and its config."""
    cfg = tiny.tiny_config(clips, tmp_path_factory.mktemp('finished'), dict(type='Watch'))
    return tiny.train(cfg), cfg
