from pmd_mmaction.models.backbones.blocks import FusedAttention
from pmd_mmaction.models.backbones.masked_vit import EncoderOutput, MaskedVisionTransformer

__all__ = ['EncoderOutput', 'FusedAttention', 'MaskedVisionTransformer']
