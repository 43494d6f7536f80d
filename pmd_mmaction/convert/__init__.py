"""Checkpoint key maps, one file per foreign format: state dicts in, state dicts out."""

from pmd_mmaction.convert.rename import Conversion
from pmd_mmaction.convert.timm_vit import mmaction_to_timm
from pmd_mmaction.convert.videomae import videomae_to_mmaction

__all__ = ['Conversion', 'mmaction_to_timm', 'videomae_to_mmaction']
