"""Trainings that have to be refused."""

import pytest
from mmengine.config import Config

from tests.integration import tiny


def refused(cfg: Config, match: str, error: type[Exception] = ValueError) -> None:
    """Trains, which must end with an error whose message matches."""
    with pytest.raises(error, match=match):
        tiny.train(cfg)
