"""Clips on which the hooks' own Runners train."""

import pytest

from tests.integration import tiny


@pytest.fixture(scope='session')
def clips(tmp_path_factory):
    """A folder with 12 training clips."""
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')
