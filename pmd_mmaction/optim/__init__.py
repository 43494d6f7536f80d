"""Parameter groups of the optimizer."""

from pmd_mmaction.optim.constructors import (
    MergedLayerDecayConstructor,
    MergedOptimWrapperConstructor,
)

__all__ = ['MergedLayerDecayConstructor', 'MergedOptimWrapperConstructor']
