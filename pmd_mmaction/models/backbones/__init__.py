from pmd_mmaction.models.backbones.attention import FusedAttention
from pmd_mmaction.models.backbones.masked_vit import EncoderOutput, MaskedVisionTransformer

__all__ = ['EncoderOutput', 'FusedAttention', 'MaskedVisionTransformer']
