"""Runs that the tests report on."""

import pytest

from tests.integration import tiny


@pytest.fixture(scope='session')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'clips')


@pytest.fixture(scope='session')
def finished(clips, tmp_path_factory):
    """The work directory of a whole curriculum with kNN."""
    work_dir = tmp_path_factory.mktemp('finished') / 'run <1>'
    tiny.train(tiny.validate_frozen(tiny.tiny_config(clips, work_dir), clips, 3))
    return work_dir
