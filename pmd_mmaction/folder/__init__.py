"""From a folder of videos to a pre-trained student."""

from pmd_mmaction.folder.plan import FolderError, Options, make_plan
from pmd_mmaction.folder.run import pretrain

__all__ = ['FolderError', 'Options', 'make_plan', 'pretrain']
