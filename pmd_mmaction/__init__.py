"""Progressive Mask Distillation as a plugin of MMAction2.

Importing the package registers its components with MMEngine; configs do so with
``custom_imports=dict(imports=['pmd_mmaction'], allow_failed_imports=False)``.
"""

import warnings

from pmd_mmaction import compat

# mmcv-lite advises to install mmcv; nothing here needs its compiled operators.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
# Before anything that imports MMAction2's models: its released wheel cannot import them.
compat.apply()

from pmd_mmaction import datasets, evaluation, hooks, models, optim, runner, transforms  # noqa: E402
from pmd_mmaction.version import __version__  # noqa: E402

__all__ = [
    '__version__',
    'datasets',
    'evaluation',
    'hooks',
    'models',
    'optim',
    'runner',
    'transforms',
]
