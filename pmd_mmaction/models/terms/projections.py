"""Linear layers from the student's width to those of its teachers."""

from typing import Mapping

from mmengine.model import ModuleDict, ModuleList
from torch import nn


def project_layers(
    student_dims: int, teacher_dims: Mapping[str, int], count: int, bias: bool = True
) -> ModuleDict:
    """``count`` linear layers for each teacher, none of them shared.

    Args:
        student_dims: width of the student.
        teacher_dims: teacher name to width.
        count: layers of the student that are projected.
        bias: of the linear layers.
    """
    return ModuleDict(
        {
            name: ModuleList(nn.Linear(student_dims, dims, bias=bias) for _ in range(count))
            for name, dims in teacher_dims.items()
        }
    )
