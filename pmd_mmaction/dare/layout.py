"""Size and number format of a difficulty table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DTYPES = ('float16', 'float32')


@dataclass(frozen=True)
class TableLayout:
    """Size and number format of a difficulty table.

    Attributes:
        num_videos: Number of videos of the data set.
        num_teachers: Number of teachers, each with a difficulty of its own.
        num_patches: Number of patches (tubelets) of a clip.
        dtype: ``"float16"`` or ``"float32"``.

    Raises:
        ValueError: If a number is not a positive integer or the dtype is another one.
    """

    num_videos: int
    num_teachers: int
    num_patches: int
    dtype: str = 'float16'

    def __post_init__(self) -> None:
        """Checks the sizes and turns numpy integers into plain ones, which JSON can carry."""
        for name in ('num_videos', 'num_teachers', 'num_patches'):
            size = getattr(self, name)
            if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
                raise ValueError(f'{name} must be a positive integer, got {size!r}')
            object.__setattr__(self, name, int(size))
        if self.dtype not in DTYPES:
            raise ValueError(f'dtype must be one of {", ".join(DTYPES)}, got {self.dtype!r}')

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of each of the two arrays: (videos, teachers, patches)."""
        return self.num_videos, self.num_teachers, self.num_patches

    @property
    def numpy_dtype(self) -> np.dtype:
        """The number format, little-endian everywhere: the bytes in memory are those on disk."""
        return np.dtype(self.dtype).newbyteorder('<')

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays together."""
        return 2 * math.prod(self.shape) * self.numpy_dtype.itemsize
