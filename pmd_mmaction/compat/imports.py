"""Two modules that mmaction2 imports although nothing installs them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from pmd_mmaction.compat.repair import Repair

_DRN = 'mmaction.models.localizers.drn'


def importlib_metadata_is_missing() -> bool:
    """Whether the back-port that mmaction2 imports is absent."""
    if 'importlib_metadata' in sys.modules:
        return False
    return importlib.util.find_spec('importlib_metadata') is None


def alias_importlib_metadata() -> None:
    """Substitutes the standard library's module, which has the same interface."""
    sys.modules['importlib_metadata'] = importlib.metadata


def drn_is_missing() -> bool:
    """Whether mmaction2 imports its DRN localizer without shipping it."""
    if f'{_DRN}.drn' in sys.modules:
        return False
    # The specification of the top package is found without importing anything, whereas asking
    # for the submodule's would import the package that is broken.
    spec = importlib.util.find_spec('mmaction')
    if spec is None:
        return False
    localizers = [
        Path(root, 'models', 'localizers') for root in spec.submodule_search_locations or ()
    ]
    imported = any(
        '.drn.drn' in folder.joinpath('__init__.py').read_text(encoding='utf-8')
        for folder in localizers
        if folder.joinpath('__init__.py').is_file()
    )
    return imported and not any(folder.joinpath('drn', 'drn.py').is_file() for folder in localizers)


def stub_drn() -> None:
    """Adds a stub for the missing module; only using its class is an error."""

    class DRN:
        """Stands in for the localizer that the mmaction2 wheel lacks."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            raise ImportError(
                'DRN is not part of the installed mmaction2 wheel. Install mmaction2 from its '
                'source repository to use it.'
            )

    package = ModuleType(_DRN)
    package.__path__ = []
    module = ModuleType(f'{_DRN}.drn')
    module.DRN = DRN
    package.drn = module
    sys.modules[package.__name__] = package
    sys.modules[module.__name__] = module


REPAIRS = (
    Repair(
        'importlib-metadata',
        'mmaction2 imports importlib_metadata without declaring it',
        importlib_metadata_is_missing,
        alias_importlib_metadata,
    ),
    Repair(
        'drn-module',
        'the mmaction2 wheel lacks mmaction/models/localizers/drn, which it imports',
        drn_is_missing,
        stub_drn,
    ),
)
