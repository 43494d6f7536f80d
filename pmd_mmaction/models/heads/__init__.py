from pmd_mmaction.models.heads.feature_decoder import FeatureDecoder

__all__ = ['FeatureDecoder']
