"""The video-and-text part of mmaction2, which fails with a current transformers."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from pmd_mmaction.compat.repair import Repair

_MULTIMODAL = 'mmaction.models.multimodal'
# Names it imports from transformers that later releases dropped.
_NEEDED = {
    'modeling_utils.py': (
        'apply_chunking_to_forward',
        'find_pruneable_heads_and_indices',
        'prune_linear_layer',
    ),
    'models/beit/modeling_beit.py': ('BeitAttention', 'BeitDropPath', 'BeitRelativePositionBias'),
}


def transformers_is_too_new() -> bool:
    """Whether mmaction2 would import names that the installed transformers no longer has."""
    if _MULTIMODAL in sys.modules:
        return False
    spec = importlib.util.find_spec('transformers')  # finds the package without importing it
    if spec is None or not spec.submodule_search_locations:
        return False
    root = Path(spec.submodule_search_locations[0])
    return any(_lacks(root / file, names) for file, names in _NEEDED.items())


def _lacks(path: Path, names: tuple[str, ...]) -> bool:
    text = path.read_text(encoding='utf-8') if path.is_file() else ''
    return not all(re.search(rf'\b{name}\b', text) for name in names)


def leave_multimodal_out() -> None:
    """Makes mmaction2 register its placeholders for a missing transformers."""
    import mmaction.utils.dependency

    mmaction.utils.dependency.WITH_MULTIMODAL = False


REPAIRS = (
    Repair(
        'multimodal',
        'mmaction2 imports names that transformers 5 no longer has',
        transformers_is_too_new,
        leave_multimodal_out,
    ),
)
