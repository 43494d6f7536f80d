import pytest

from benchmarks.phone_videos import make_videos


@pytest.fixture(scope='session')
def phone(tmp_path_factory):
    """A folder of twelve tiny videos as phones make them."""
    folder = tmp_path_factory.mktemp('phone') / 'my videos'
    make_videos(folder, mov=8, webm=4, width=64, seconds=(0.5, 1.0))
    return folder
