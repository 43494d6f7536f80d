import re

import pytest
from mmengine.config import Config

from pmd_mmaction.diagnosis.teacher_files import ELSE, command_for
from tests.integration.tiny import CONFIGS


def test_every_file_of_a_shipped_teacher_has_its_command():
    texts = (path.read_text(encoding='utf-8') for path in CONFIGS.rglob('*.py'))
    paths = {path for text in texts for path in re.findall(r"checkpoint='([^']+\.pth)'", text)}
    assert len(paths) > 5
    for path in paths:
        kind = 'VideoMAETeacher' if 'video' in path else 'TimmImageTeacher'
        command = command_for(kind, path)
        assert path in command or command == 'python tools/demo.py'
        assert command.startswith(('python tools/', 'curl --create-dirs -Lo '))


def test_the_scripts_of_the_demo_exist():
    command = command_for('TimmImageTeacher', 'work_dirs/demo/image_teacher.pth')
    files = [word for word in command.replace(';', ' ').split() if word.endswith('.py')]
    assert files and all((CONFIGS.parent / file).is_file() for file in files)


@pytest.mark.parametrize('config', ['clip', 'dinov2', 'dinov3'])
def test_published_image_teachers_are_fetched_as_they_are(config):
    cfg = Config.fromfile(CONFIGS / 'pmd' / f'vit-b_k400_pretrain_{config}-teacher.py')
    path = cfg.model.image_teacher.checkpoint
    command = command_for('TimmImageTeacher', path)
    assert command.startswith(f'curl --create-dirs -Lo {path} https://huggingface.co/timm/vit_')
    assert cfg.model.image_teacher.model_name.partition('.')[2] in command


def test_another_kind_of_teacher():
    assert command_for('MyTeacher', 'a.pth') == ELSE
    assert command_for('VideoMAETeacher', 'a {b}.pth').endswith(
        'VIDEOMAE_PTH a {b}.pth  # docs/model_zoo.md'
    )
