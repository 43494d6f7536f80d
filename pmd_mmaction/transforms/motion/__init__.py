"""Objects that move through a clip (SMILE)."""

from pmd_mmaction.transforms.motion.paste_moving_objects import PasteMovingObjects

__all__ = ['PasteMovingObjects']
