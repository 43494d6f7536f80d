"""Clips and a finished run on which the hooks' own Runners train."""

import pytest

from tests.integration import tiny


@pytest.fixture(scope='session')
def clips(tmp_path_factory):
    """A folder with 12 training clips."""
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


@pytest.fixture(scope='session')
def run(clips, tmp_path_factory):
    """Config of a finished run of two phases of two epochs, two checkpoints kept."""
    cfg = tiny.tiny_config(
        clips,
        tmp_path_factory.mktemp('run'),
        ratios=(0.5, 0.8),
        epochs=2,
        dare=dict(stage_epochs=1),
    )
    tiny.train(cfg)
    return cfg
