"""The objects of the demo, and the picture of a clip with objects."""

import numpy as np
import pytest
from PIL import Image

from tests.integration import tiny
from tools.data import make_demo_objects, show_moving_objects


@pytest.fixture(scope='module')
def objects(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'objects'
    assert make_demo_objects.main(['--out', str(folder)]) == 0
    return folder


def test_a_dozen_objects_with_transparency_around_them(objects):
    pictures = [np.asarray(Image.open(path)) for path in objects.iterdir()]
    assert len(pictures) == 12
    for picture in pictures:
        assert picture.dtype == np.uint8 and picture.shape[2] == 4
        assert max(picture.shape) == make_demo_objects.SIDE
        alpha = picture[..., 3]
        assert not alpha[0, 0] and not alpha[-1, -1] and (alpha == 255).mean() > 0.3


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(make_demo_objects.OBJECTS, 'cup', ('nowhere', 'cup.png', (0, 0, 9, 9)))
    with pytest.raises(FileNotFoundError, match=r'cup\.png of the package nowhere'):
        make_demo_objects.main(['--out', str(tmp_path)])


def test_the_picture_of_a_clip(objects, tmp_path):
    videos = tiny.make_clips(tmp_path / 'clips', frames=16)
    video, out = next(videos.rglob('*.mp4')), tmp_path / 'objects.png'
    arguments = [str(video), '--objects', str(objects), '--out', str(out)]
    assert show_moving_objects.main(arguments) == 0
    assert Image.open(out).size[0] > 500


def test_what_is_missing_is_one_line(objects, tmp_path, capsys):
    assert show_moving_objects.main(['gone.mp4', '--objects', str(objects)]) == 1
    assert show_moving_objects.main(['gone.mp4', '--objects', str(tmp_path)]) == 1
    ratio = ['--objects', str(objects), '--mask-ratio', '1.5']
    assert show_moving_objects.main(['gone.mp4', *ratio]) == 1
    first, second, third = capsys.readouterr().err.splitlines()
    assert 'gone.mp4: No such file' in first and 'there is no .png file in' in second
    assert 'mask_ratio 1.5 leaves no visible patch' in third
