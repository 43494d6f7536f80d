"""Conversion of checkpoints from and to other code bases, one file per format."""

from pmd_mmaction.convert.encoder import ClipSize, EncoderSize, fit_positions
from pmd_mmaction.convert.formats import SOURCES, TARGETS, Options, Result, convert
from pmd_mmaction.convert.huggingface_folder import HuggingFaceFolder, clip_size_of, write_folder
from pmd_mmaction.convert.model_card import find_entry, model_card
from pmd_mmaction.convert.rename import Conversion
from pmd_mmaction.convert.verify import TOLERANCE, check_verifiable, largest_difference

__all__ = [
    'SOURCES',
    'TARGETS',
    'TOLERANCE',
    'ClipSize',
    'Conversion',
    'EncoderSize',
    'HuggingFaceFolder',
    'Options',
    'Result',
    'check_verifiable',
    'clip_size_of',
    'convert',
    'find_entry',
    'fit_positions',
    'largest_difference',
    'model_card',
    'write_folder',
]
