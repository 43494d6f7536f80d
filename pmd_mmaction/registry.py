"""The scope ``pmd_mmaction``: MMAction2's registries under the name of this package.

MMEngine gives every dict of a base ``pmd_mmaction::pmd/vit-b_k400_pretrain.py`` the scope
``pmd_mmaction`` and looks for its registries here. They are empty: what they do not hold is found
in their parents, MMAction2's registries, where the components are registered.
"""

import mmaction.registry
from mmengine.registry import Registry

REGISTRIES = {
    name: Registry(parent.name, parent=parent, scope='pmd_mmaction', locations=['pmd_mmaction'])
    for name, parent in vars(mmaction.registry).items()
    if isinstance(parent, Registry)
}
