"""Pictures of masks and difficulty: once a phase, those of the step, and without a trace."""

import os

import numpy as np
import pytest
from PIL import Image

from pmd_mmaction import visualization
from pmd_mmaction.hooks import PhasePictureHook
from tests.integration import tiny


@pytest.fixture(scope='module')
def runs(clips, tmp_path_factory):
    """The same run without and with the hook, and what the second drew."""
    drawn, runners = [], []
    with pytest.MonkeyPatch.context() as patch:
        for name in ('plot_masks', 'plot_difficulty'):
            plot = getattr(visualization, name)

            def note(clips, values, grid, plot=plot):
                drawn.append((clips, values))
                return plot(clips, values, grid)

            patch.setattr(visualization, name, note)
        for hooks in ([], [dict(type='PhasePictureHook', clips=2)]):
            cfg = tiny.tiny_config(
                clips,
                tmp_path_factory.mktemp('pictures'),
                *hooks,
                ratios=(0.5, 0.8),
                epochs=2,
            )
            runners.append(tiny.build(cfg))
            _note_masks(runners[-1])
            tiny.finish(runners[-1])
    return *runners, drawn


def _note_masks(runner):
    """Keeps the masked patches of the first clip of each draw."""
    runner.masked, draw = [], runner.model.draw_views

    def note(*arguments):
        views = draw(*arguments)
        runner.masked.append(views['student'].masked[0].tolist())
        return views

    runner.model.draw_views = note


def test_the_training_does_not_notice(runs):
    plain, pictured, _ = runs
    assert tiny.same(plain.model.state_dict(), pictured.model.state_dict())
    assert np.array_equal(tiny.table_of(plain), tiny.table_of(pictured))


def test_there_are_pictures_at_the_end_of_each_phase(runs):
    folder = next(tiny.Path(runs[1].work_dir).glob('*/vis_data/vis_image'))
    names = [f'{name}_{step}.png' for name in ('difficulty', 'masks') for step in (12, 6)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert all(np.asarray(Image.open(path)).std() > 5 for path in folder.iterdir())


def test_the_masks_are_those_of_the_step(runs):
    plain, pictured, drawn = runs
    masks = [values for _, values in drawn if isinstance(values, dict)]
    assert [list(rows) for rows in masks] == [['50% visible'], ['25% visible']]
    shown = [np.flatnonzero(mask).tolist() for rows in masks for mask in rows.values()]
    assert shown == [plain.masked[5], plain.masked[11]]
    assert len(plain.masked) == 12 and len(pictured.masked) == 14


def test_the_difficulty_is_that_of_the_first_clips(runs):
    drawn = runs[2]
    difficulty = [(clips, values) for clips, values in drawn if isinstance(values, list)]
    assert [len(clips) for clips, _ in difficulty] == [2, 2]
    for clips, values in difficulty:
        assert clips[0].shape == (4, 32, 32, 3) and clips[0].dtype == np.uint8
        assert [list(rows) for rows in values] == [['img', 'vid']] * 2
        assert all((row > 0).any() for rows in values for row in rows.values())


def test_a_model_without_a_table_or_phases_has_masks(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='PhasePictureHook'), epochs=2)
    cfg.model = dict(
        type='MaskedAutoencoder',
        mask_ratio=0.75,
        **{key: cfg.model[key] for key in ('backbone', 'decoder', 'masker', 'data_preprocessor')},
    )
    cfg.custom_hooks = [dict(type='StepSeedHook'), dict(type='PhasePictureHook')]
    cfg.train_cfg.max_epochs = 2
    runner = tiny.train(cfg)
    (picture,) = tiny.Path(runner.work_dir).rglob('vis_image/*.png')
    assert picture.name == 'masks_6.png'


def test_a_picture_that_cannot_be_drawn_ends_no_run(clips, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError('disk')

    monkeypatch.setattr(visualization, 'plot_masks', fail)
    pictures = dict(type='PhasePictureHook')
    cfg = tiny.tiny_config(clips, tmp_path, pictures, ratios=(0.5,), log_level='INFO')
    assert tiny.train(cfg).iter == 9
    (log,) = tmp_path.rglob('*.log')
    assert log.read_text().count('No pictures here: OSError: disk') == 1


def test_a_folder_whose_name_is_not_utf8_ends_no_run(clips, tmp_path):
    folder = tmp_path / os.fsdecode(b'caf\xe9')
    cfg = tiny.tiny_config(clips, folder, dict(type='PhasePictureHook'), ratios=(0.5,))
    assert tiny.train(cfg).iter == 9
    assert not list(folder.rglob('*.png'))


def test_no_clips_is_refused():
    with pytest.raises(ValueError, match='clips'):
        PhasePictureHook(clips=0)
