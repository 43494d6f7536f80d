"""Clips and finished runs that several tests look at."""

from pathlib import Path

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


@pytest.fixture(scope='session')
def steps(finished):
    """What was noted in each iteration of the finished run."""
    return tiny.hook_of(finished[0], tiny.Watch).steps


@pytest.fixture(scope='session')
def work_dir(finished):
    """The directory of the finished run."""
    return Path(finished[1].work_dir)
