"""What the tables share."""

import pytest
from mmengine.registry import init_default_scope


@pytest.fixture
def list_here(tmp_path, monkeypatch):
    """A list of videos and a folder of objects are in the working directory."""
    init_default_scope('mmaction')
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4\n')
    (tmp_path / 'objects').mkdir()
    (tmp_path / 'objects' / 'a.png').touch()
    monkeypatch.chdir(tmp_path)
