"""Linear layers from the student's width to those of its teachers."""

from typing import Mapping

from mmengine.model import ModuleDict, ModuleList
from torch import nn

from pmd_mmaction.arguments import Whole, require


def project_layers(
    where: object, student_dims: int, teacher_dims: Mapping[str, int], count: int, bias: bool = True
) -> ModuleDict:
    """``count`` linear layers for each teacher, none of them shared.

    Args:
        where: the term, for messages.
        student_dims: width of the student.
        teacher_dims: teacher name to width.
        count: layers of the student that are projected.
        bias: of the linear layers.

    Raises:
        ValueError: for a width that is none.
    """
    check_widths(where, student_dims, teacher_dims)
    return ModuleDict(
        {
            name: ModuleList(nn.Linear(student_dims, dims, bias=bias) for _ in range(count))
            for name, dims in teacher_dims.items()
        }
    )


def check_widths(where: object, student_dims: int, teacher_dims: Mapping[str, int]) -> None:
    """Raises ValueError for a width that is none, or without a teacher."""
    require(where, Whole, student_dims=student_dims)
    if not isinstance(teacher_dims, Mapping) or not teacher_dims:
        raise ValueError(
            f'{type(where).__name__}: teacher_dims is {teacher_dims!r}; it must be a dict of name '
            'to width'
        )
    require(where, Whole, **{f'teacher_dims.{k}': v for k, v in teacher_dims.items()})
