from pmd_mmaction.models.heads.attentive_head import AttentiveHead
from pmd_mmaction.models.heads.feature_decoder import FeatureDecoder
from pmd_mmaction.models.heads.feature_generator import FeatureGenerator
from pmd_mmaction.models.heads.float32_head import Float32TimeSformerHead

__all__ = ['AttentiveHead', 'FeatureDecoder', 'FeatureGenerator', 'Float32TimeSformerHead']
