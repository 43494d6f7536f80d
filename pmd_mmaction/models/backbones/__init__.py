from pmd_mmaction.models.backbones.blocks import FusedAttention
from pmd_mmaction.models.backbones.masked_vit import MaskedVisionTransformer

__all__ = ['FusedAttention', 'MaskedVisionTransformer']
