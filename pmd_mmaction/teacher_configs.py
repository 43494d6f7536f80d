"""Where the teachers of a model stand in its config, whatever the model calls them."""

from typing import Any, Mapping, NamedTuple

from mmaction.registry import MODELS


class TeacherConfig(NamedTuple):
    """A teacher of a model.

    Attributes:
        argument: where it stands in the config: ``'image_teacher'``, ``'teachers.vid'``.
        config: its config; part of that of the model.
    """

    argument: str
    config: Any


def find_teachers(model: Mapping) -> dict[str, TeacherConfig]:
    """The teachers in the config of a model.

    Args:
        model: the config, of any model.

    Returns:
        Name in the log to where it is, in the order in which the model builds them; those that
        are None are left out.
    """
    kind = model.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    own = getattr(kind, 'TEACHER_ARGUMENTS', {})  # PMDRecognizer has an argument for each
    found = {name: TeacherConfig(argument, model.get(argument)) for name, argument in own.items()}
    teachers = model.get('teachers')
    for name, config in teachers.items() if isinstance(teachers, Mapping) else ():
        found[name] = TeacherConfig(f'teachers.{name}', config)
    return {name: teacher for name, teacher in found.items() if isinstance(teacher.config, Mapping)}


def leave_out_files(model: Mapping) -> None:
    """Makes the teachers in the config of a model need neither files nor a download."""
    for _, teacher in find_teachers(model).values():
        absent = dict(checkpoint=None, pretrained=False)
        teacher.update({key: value for key, value in absent.items() if key in teacher})
