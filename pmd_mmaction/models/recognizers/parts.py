"""The parts of a recognizer: built from their configs, refused where they do not fit together."""

from typing import Any

from mmaction.registry import MODELS
from mmengine.model import ModuleDict
from torch import nn

from pmd_mmaction.functional import checks
from pmd_mmaction.models.teachers import FeatureTeacher

# Argument of the recognizer to the short name of the teacher in the log.
TEACHERS = dict(image_teacher='img', video_teacher='vid')


def build_part(where: object, name: str, cfg: object, **known: Any) -> nn.Module:
    """Builds a part with what follows from the rest of the model.

    Args:
        where: the recognizer, for messages.
        name: its argument that holds the config.
        cfg: the config.
        **known: arguments of the part that the recognizer fills in.

    Raises:
        ValueError: if it is no config, or holds one of these arguments.
    """
    checks.require_config(where, **{name: cfg})
    given = sorted(set(cfg) & set(known))
    if given:
        raise ValueError(
            f'{type(where).__name__}: {name} gives {", ".join(given)}, which follows from the '
            f'rest of the model; leave it out of {name}'
        )
    return MODELS.build(cfg, default_args=known)


def build_teachers(model: nn.Module, **configs: object) -> ModuleDict:
    """The teachers that are given, by their short names.

    Args:
        model: the recognizer, with its backbone and data preprocessor.
        **configs: argument of the recognizer to config or None.

    Raises:
        ValueError: without a teacher, for what is none, or for one that looks at other clips
            than the student.
    """
    teachers = ModuleDict()
    for name, cfg in configs.items():
        if cfg is None:
            continue
        teacher = build_part(model, name, cfg)
        if not isinstance(teacher, FeatureTeacher):
            raise ValueError(
                f'{name} is a {type(teacher).__name__}; it must be a TimmImageTeacher, a '
                'VideoMAETeacher or another FeatureTeacher'
            )
        _check_size(name, teacher, model.backbone)
        _check_normalization(name, teacher, model.data_preprocessor)
        teachers[TEACHERS[name]] = teacher
    if not teachers:
        raise ValueError('give image_teacher, video_teacher or both')
    return teachers


def _check_size(name: str, teacher: FeatureTeacher, student: nn.Module) -> None:
    for what, theirs, ours in (
        ('a token grid (time, height, width)', teacher.token_grid, student.token_grid),
        ('clips (channels, frames, height, width)', teacher.clip_size, student.clip_size),
    ):
        if tuple(theirs) != tuple(ours):
            raise ValueError(
                f'{name} has {what} of {tuple(theirs)}, the student of {tuple(ours)}: set '
                'img_size, patch_size, num_frames and tubelet_size so that they agree'
            )


def _check_normalization(name: str, teacher: nn.Module, preprocessor: nn.Module) -> None:
    for key in ('mean', 'std'):
        used, told = getattr(preprocessor, key, None), getattr(teacher, f'data_{key}', None)
        if used is None or told is None or used.is_meta:  # a tensor without content
            continue
        if used.flatten().tolist() != used.new_tensor(list(told)).tolist():
            raise ValueError(
                f'data_preprocessor.{key} is {used.flatten().tolist()}, but {name}.data_{key} is '
                f'{list(told)}, so the teacher would see other colours than it was trained with: '
                'make them agree'
            )
