"""What the tables share."""

import pytest
from mmengine.registry import init_default_scope


@pytest.fixture
def list_here(tmp_path, monkeypatch):
    """The data sets' list is in the working directory."""
    init_default_scope('mmaction')
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4\n')
    monkeypatch.chdir(tmp_path)
