"""Where teachers stand in the config of any model."""

import pytest
from mmengine.config import ConfigDict

from pmd_mmaction.teacher_configs import find_teachers, leave_out_files

ONE, TWO = dict(type='VideoMAETeacher', checkpoint='a.pth'), dict(type='PixelTeacher')


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize(
    'model, expected',
    [
        (dict(type='PMDRecognizer', image_teacher=ONE, video_teacher=TWO),
         dict(img=('image_teacher', ONE), vid=('video_teacher', TWO))),
        (dict(type='PMDRecognizer', image_teacher=None, video_teacher=TWO),
         dict(vid=('video_teacher', TWO))),
        (dict(type='MaskedDistillation', teachers=dict(b=ONE, a=TWO)),
         dict(b=('teachers.b', ONE), a=('teachers.a', TWO))),
        (dict(type='MaskedDistillation', teachers=3), {}),
        (dict(type='Recognizer3D'), {}),
        (dict(type=3.5, image_teacher='nonsense'), {}),
        (dict(type='PMDRecognizer', image_teacher='nonsense'), {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_teachers_of_a_model(model, expected):
    for config in (model, ConfigDict(model)):
        found = find_teachers(config)
        assert list(found) == list(expected)
        assert {name: tuple(teacher) for name, teacher in found.items()} == expected


def test_what_is_found_is_a_part_of_the_config():
    model = dict(type='MaskedDistillation', teachers=dict(a=dict(ONE)))
    find_teachers(model)['a'].config['checkpoint'] = None
    assert model['teachers']['a']['checkpoint'] is None


def test_files_and_downloads_are_left_out():
    model = dict(
        type='MaskedDistillation',
        teachers=dict(a=dict(ONE), b=dict(TWO), c=dict(type='TimmImageTeacher', pretrained=True)),
    )
    leave_out_files(model)
    changed = dict(
        a=dict(ONE, checkpoint=None), b=TWO, c=dict(type='TimmImageTeacher', pretrained=False)
    )
    assert model['teachers'] == changed
