"""Transforms that show their arguments."""

from mmcv.transforms import BaseTransform

from pmd_mmaction.arguments import argument_names


class Described(BaseTransform):
    """A transform that keeps each argument as an attribute of the same name."""

    def __repr__(self) -> str:
        shown = ', '.join(f'{n}={getattr(self, n, "?")!r}' for n in argument_names(type(self)))
        return f'{type(self).__name__}({shown})'
