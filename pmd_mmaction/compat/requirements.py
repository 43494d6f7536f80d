"""Checks the OpenMMLab libraries that the plugin needs, and their versions."""

from __future__ import annotations

import importlib
import importlib.util
import re
from types import ModuleType
from typing import NamedTuple


class Library(NamedTuple):
    """A library of the stack and the half-open range of versions that is supported."""

    module: str
    minimum: str
    below: str
    remedy: str


# mmaction last: importing it asserts on the versions of the other two.
STACK = (
    Library('mmengine', '0.10.0', '1.0.0', 'pip install mmengine==0.10.7'),
    Library(
        'mmcv',
        '2.0.0',
        '2.2.0',
        'pip install mmcv-lite==2.1.0 (or mmcv==2.1.0 if you need its compiled operators)',
    ),
    Library('mmaction', '1.2.0', '2.0.0', 'pip install --no-deps mmaction2==1.2.0'),
)


def _numbers(version: str) -> tuple[int, ...]:
    """Turns '2.1.0rc4' into (2, 1, 0): pre-releases count as the release they precede."""
    parts = version.split('+')[0].split('.')[:3]
    numbers = [int(re.match(r'\d*', part)[0] or 0) for part in parts]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _import(module: str) -> ModuleType:
    """Imports a library, which may fail for want of a window system."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if 'cannot open shared object file' not in str(error):
            raise
        raise ImportError(
            f'{module} cannot be imported: {error}. If this is a GUI library, as libGL is, '
            'take the build of OpenCV without it: pip uninstall opencv-python '
            'opencv-contrib-python, then pip install --force-reinstall opencv-python-headless'
        ) from error


def check(stack: tuple[Library, ...] = STACK) -> None:
    """Checks that every library can be found and has a supported version.

    Args:
        stack: Libraries in the order in which they may be imported.

    Raises:
        ImportError: For the first library that is missing or does not fit.
    """
    for library in stack:
        wanted = f'{library.module} >={library.minimum},<{library.below}'
        if importlib.util.find_spec(library.module) is None:
            raise ImportError(
                f'pmd_mmaction needs {wanted}, but it is not installed. '
                f'Install it with: {library.remedy}'
            )
        found = str(_import(library.module).__version__)
        if not _numbers(library.minimum) <= _numbers(found) < _numbers(library.below):
            raise ImportError(
                f'pmd_mmaction needs {wanted}, but version {found} is installed. '
                f'Change it with: {library.remedy}'
            )
