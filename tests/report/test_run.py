"""What a run has left in its folder."""

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from pmd_mmaction.dare import DifficultyTable, table_file
from pmd_mmaction.report import sections
from pmd_mmaction.report.run import Run


def run_with(tmp_path, model=None, **hook) -> Run:
    """A run with a phase hook, if it has phases."""
    curriculum = dict(type='ProgressivePhaseHook', **hook) if hook else None
    hooks = dict(default_hooks=dict(curriculum=curriculum), train_cfg=dict(max_epochs=4))
    return Run(Config(dict(model=model or {}, **hooks)), tmp_path)


def test_a_checkpoint_within_an_epoch_is_older_than_the_next(tmp_path):
    run, files = run_with(tmp_path), ('epoch_5', 'epoch_5_iter_123', 'epoch_10')
    for name in files[:2]:
        (tmp_path / f'{name}.pth').touch()
    assert list(run.students) == ['student, epoch 5 iter 123']
    (tmp_path / 'epoch_10.pth').touch()
    assert list(run_with(tmp_path).students) == ['student, epoch 10']


def test_phases_that_may_fall(tmp_path):
    run = run_with(tmp_path, phases=[(0.9, 1), (0.75, 2)], allow_decreasing=True)
    assert list(run.phases.values()) == [0.9, 0.75] and run.epochs == (0, 3)


@pytest.mark.parametrize('hook', [{}, dict(phases=[(0.75, 4)])])
def test_the_end_of_a_run(tmp_path, hook):
    """A curriculum ends with its student, any other training with its last checkpoint."""
    last = tmp_path / ('student.pth' if hook else 'epoch_4.pth')
    (tmp_path / 'epoch_3.pth').touch()
    assert not run_with(tmp_path, **hook).finished
    last.touch()
    assert run_with(tmp_path, **hook).finished


def test_a_run_may_have_no_custom_hooks(tmp_path):
    run = run_with(tmp_path, phases=[(0.75, 1)])
    run.cfg.custom_hooks = None
    assert run.hook('DAREHook') is None and run.hook('ProgressivePhaseHook')


@pytest.mark.parametrize(
    'model',
    [
        dict(type='PMDRecognizer', dare=dict(teachers=['vid'])),
        dict(terms=[dict(type='BaseTerm'), dict(type='DARETerm', teachers='vid')]),
    ],
)
def test_difficulty_has_the_names_of_its_teachers(tmp_path, model):
    table = DifficultyTable.create(None, 1, 1, 4, 'float32')
    table_file.save(table, tmp_path / 'difficulty_1.table', 'f' * 64, {})
    (found,) = run_with(tmp_path, model).difficulty(
        [dict(data_samples=ActionDataSample(metainfo=dict(sample_idx=0)))]
    )
    assert list(found) == ['vid']


@pytest.mark.parametrize(
    ('region', 'expected'),
    [('patch_index', [1, 2, 3, 4]), ('canonical', [2, 2, 4, 4])],
)
def test_difficulty_of_a_clip_that_shows_the_right_half(tmp_path, region, expected):
    """A table whose rows cover the frame is read through the clip's box, as in the training."""
    table = DifficultyTable.create(None, 3, 1, 4, 'float32')
    row = torch.tensor([[1.0, 2.0, 3.0, 4.0]])  # two rows of two cells
    table.write_rows([2], row[None], 0)
    table_file.save(table, tmp_path / 'difficulty_1.table', 'f' * 64, {})
    grid = dict(img_size=16, patch_size=8, num_frames=2, tubelet_size=2)
    backbone = dict(type='MaskedVisionTransformer', embed_dims=12, depth=1, num_heads=1, **grid)
    cfg = Config(
        dict(
            model=dict(backbone=backbone, teachers=dict(vid=dict(type='PixelTeacher'))),
            default_hooks=dict(difficulty=dict(type='DAREHook', region=region)),
        )
    )
    clip = ActionDataSample(
        metainfo=dict(sample_idx=2, crop_box=np.array([[0.5, 0, 1, 1]], np.float32))
    )
    (found,) = Run(cfg, tmp_path).difficulty([dict(data_samples=clip)])
    np.testing.assert_array_equal(found['vid'], expected)


def test_teachers_that_were_trained_beside_the_run_have_their_logs(tmp_path):
    """One was trained in its folder, one converted out of a folder of its name."""
    for folder in ('video_teacher', 'image_teacher', 'run', 'silent'):
        log = tmp_path / folder / '20260101' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text('' if folder == 'silent' else '{"explained_pixel": 0.001, "step": 10}\n')
    teachers = dict(
        vid=dict(type='VideoMAETeacher', checkpoint=str(tmp_path / 'video_teacher/epoch_2.pth')),
        img=dict(type='TimmImageTeacher', checkpoint=str(tmp_path / 'image_teacher.pth')),
        public=dict(type='VideoMAETeacher', checkpoint=str(tmp_path / 'other/vit.pth')),
        pixel=dict(type='PixelTeacher'),
        own=dict(type='VideoMAETeacher', checkpoint=str(tmp_path / 'run/epoch_1.pth')),
        silent=dict(type='VideoMAETeacher', checkpoint=str(tmp_path / 'silent/epoch_1.pth')),
    )
    run = Run(
        Config(dict(model=dict(type='MaskedDistillation', teachers=teachers))), tmp_path / 'run'
    )
    plateau = {'explained_pixel': {10: 0.001}}
    assert run.teacher_scalars == dict(vid=plateau, img=plateau)
    run.__dict__['scalars'] = plateau | {'loss': {10: 1.0}}
    rows = sections.health(run)[0][1][1]
    assert ('look', 'img teacher: plateau at the mean') in [row[:2] for row in rows]
