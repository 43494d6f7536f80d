from pmd_mmaction.models.heads.feature_decoder import FeatureDecoder
from pmd_mmaction.models.heads.float32_head import Float32TimeSformerHead

__all__ = ['FeatureDecoder', 'Float32TimeSformerHead']
