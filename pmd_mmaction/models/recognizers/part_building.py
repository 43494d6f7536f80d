"""Builds the parts of a recognizer from their configs and checks that they fit together."""

from typing import Any, Mapping, Sequence

from mmaction.registry import MODELS
from mmengine.model import ModuleDict
from torch import nn

from pmd_mmaction.arguments import Config, Configs, Options, argument_names, require, require_keys
from pmd_mmaction.models.teachers import FeatureTeacher
from pmd_mmaction.models.terms import Term

TEACHER_ATTRIBUTES = ('depth', 'embed_dims', 'token_grid', 'clip_size')


def build_part(where: object, name: str, cfg: object, known: Mapping[str, Any]) -> nn.Module:
    """Builds a part, with those arguments that its class has and the rest of the model gives.

    Args:
        where: the recognizer, for messages.
        name: its argument that holds the config.
        cfg: the config.
        known: arguments that the recognizer fills in.

    Raises:
        ValueError: if it is not a config, or contains one of these arguments.
    """
    require(where, Config, **{name: cfg})
    kind = _class_of(cfg)
    names = argument_names(kind) if isinstance(kind, type) else ()
    known = {key: value for key, value in known.items() if key in names}
    given = sorted(set(cfg) & set(known))
    if given:
        raise ValueError(
            f'{type(where).__name__}: {name} gives {", ".join(given)}, which follows from the '
            f'rest of the model; leave it out of {name}'
        )
    return MODELS.build(cfg, default_args=known)


def _class_of(cfg: dict) -> object:
    return MODELS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']


def build_term(where: object, cfg: dict, known: Mapping[str, Any]) -> Term:
    """Builds a term.

    Raises:
        TypeError: for an argument that the class does not have.
        ValueError: if it is not a term, or contains an argument that the recognizer fills in.
    """
    kind = _class_of(cfg)
    if not (isinstance(kind, type) and issubclass(kind, Term)):
        raise ValueError(f'{type(where).__name__}: {cfg["type"]!r} in terms is not a Term')
    own = [name for name in argument_names(kind) if name not in known]
    given = {key: value for key, value in cfg.items() if key != 'type' and key not in known}
    require_keys(where, own, **{kind.__name__: given})
    return build_part(where, kind.__name__, cfg, known)


def build_teachers(model: nn.Module, configs: Mapping[str, dict]) -> ModuleDict:
    """The teachers, by their names.

    Args:
        model: the recognizer, with its backbone and data preprocessor.
        configs: name of a teacher to its config.

    Raises:
        ValueError: without a teacher, for a component that is not a teacher, or for a teacher
            of other clips than the student's.
    """
    require(model, Options, teachers=configs)
    known = dict(token_grid=model.backbone.token_grid, clip_size=model.backbone.clip_size)
    for key in ('mean', 'std'):
        used = getattr(model.data_preprocessor, key, None)
        if used is not None and not used.is_meta:  # a tensor without content
            known[key] = used.flatten().tolist()
    teachers = ModuleDict()
    for name, cfg in configs.items():
        argument = model.TEACHER_ARGUMENTS.get(name, f'teachers.{name}')
        teacher = build_part(model, argument, cfg, known)
        if not isinstance(teacher, FeatureTeacher):
            raise ValueError(
                f'{argument} is a {type(teacher).__name__}; it must be a TimmImageTeacher, a '
                'VideoMAETeacher or another FeatureTeacher'
            )
        missing = [name for name in TEACHER_ATTRIBUTES if not hasattr(teacher, name)]
        if missing:
            raise ValueError(
                f'{argument} is a {type(teacher).__name__}, which does not set {missing}: every '
                f'FeatureTeacher has {", ".join(TEACHER_ATTRIBUTES)}'
            )
        if teacher.view not in (None, 'student', *model.views.wider):
            raise ValueError(
                f'{argument} sees the view {teacher.view!r}; views has '
                f'{["student", *model.views.wider]}'
            )
        _check_size(argument, teacher, model.backbone)
        _check_normalization(argument, teacher, model.data_preprocessor)
        teachers[name] = teacher
    if not teachers:
        raise ValueError(f'{type(model).__name__}: give at least one teacher')
    return teachers


def build_terms(model: nn.Module, configs: Sequence[dict]) -> ModuleDict:
    """The terms of the loss, by their names in the log.

    Args:
        model: the recognizer, with its backbone and teachers.
        configs: a config for each term.

    Raises:
        ValueError: for a component that is not a term, two terms with the same name, or a term
            that needs a teacher or layers that do not exist.
    """
    student, teachers = model.backbone, model.teachers
    known = dict(
        student_dims=student.embed_dims,
        student_depth=student.depth,
        num_patches=student.num_patches,
        token_grid=student.token_grid,
        position=student.position,
    )
    require(model, Configs, terms=configs)
    terms = ModuleDict()
    for cfg in configs:
        term = build_term(model, cfg, dict(known, teacher_dims=_widths(cfg, teachers)))
        if term.name in terms:
            raise ValueError(
                f'{type(model).__name__}: two terms are called {term.name!r}; give one of them '
                'another name=...'
            )
        if term.single and any(type(other) is type(term) for other in terms.values()):
            raise ValueError(
                f'{type(model).__name__}: two {type(term).__name__}s; a model has one at most: '
                'leave one out, and weigh the teachers by loss_weight=dict(TEACHER=...)'
            )
        absent = sorted(set(term.teachers or ()) - set(teachers))
        if absent:
            raise ValueError(
                f'{type(term).__name__} learns from {absent}; the teachers are {list(teachers)}'
            )
        if term.weighted_by_name:
            names = list(term.teachers or teachers)
            require_keys(term, names, names, loss_weight=term.loss_weight)
        _check_layers(term, [term.student_layers], 'the student', student.depth)
        for name in term.teachers or teachers:
            depth = teachers[name].depth
            _check_layers(term, term.teacher_groups(depth), f'the teacher {name}', depth)
            if (term.decodes or term.reads_masked) and teachers[name].view is not None:
                raise ValueError(
                    f'{type(term).__name__} looks at all masked patches, but the '
                    f'teacher {name} sees only the view {teachers[name].view!r}: leave it out of '
                    "the term's teachers"
                )
        terms[term.name] = term
    return terms


def _check_size(name: str, teacher: FeatureTeacher, student: nn.Module) -> None:
    for what, theirs, ours in (
        ('a token grid (time, height, width)', teacher.token_grid, student.token_grid),
        ('clips (channels, frames, height, width)', teacher.clip_size, student.clip_size),
    ):
        if tuple(theirs) != tuple(ours):
            raise ValueError(
                f'{name} has {what} of {tuple(theirs)}, the student of {tuple(ours)}: set '
                'img_size, patch_size, num_frames and tubelet_size so that they agree, or '
                'frame_size of a TimmImageTeacher with another patch size'
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


def _widths(cfg: dict, teachers: Mapping[str, FeatureTeacher]) -> dict[str, int]:
    """Widths of a term's own teachers: layers for others would never get a gradient."""
    own = cfg.get('teachers')
    own = [own] if isinstance(own, str) else own
    if not isinstance(own, (list, tuple)) or not all(name in list(teachers) for name in own):
        own = ()  # None, or a value that the term refuses
    return {name: teachers[name].embed_dims for name in teachers if not own or name in own}


def _check_layers(term: Term, groups: Sequence[Sequence[int]], where: str, depth: int) -> None:
    absent = sorted({index for layers in groups for index in layers} - set(range(depth)))
    if absent:
        has = f'0 to {depth - 1}' if depth else 'none'
        raise ValueError(
            f'{type(term).__name__} reads layers {absent} of {where}; its layers are {has}'
        )
