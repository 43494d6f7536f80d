from pmd_mmaction.models.recognizers.distillation import MaskedDistillation
from pmd_mmaction.models.recognizers.masked_autoencoder import MaskedAutoencoder
from pmd_mmaction.models.recognizers.pmd import PMDRecognizer

__all__ = ['MaskedAutoencoder', 'MaskedDistillation', 'PMDRecognizer']
