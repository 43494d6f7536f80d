"""The auxiliary teacher of PSD: the student of the previous phase."""

import copy

import torch
from torch import Tensor, nn

from pmd_mmaction.models.teachers.frozen import FrozenTeacher


class AuxiliaryTeacher(FrozenTeacher):
    """A frozen copy of a student: encoder and feature decoders.

    Args:
        backbone: the student's encoder; copied.
        decoders: the student's decoders by teacher name; copied.
    """

    def __init__(self, backbone: nn.Module, decoders: nn.ModuleDict) -> None:
        super().__init__(copy.deepcopy(nn.ModuleDict(dict(backbone=backbone, decoders=decoders))))

    @torch.no_grad()
    def forward(
        self, clips: Tensor, visible_index: Tensor, masked_index: Tensor
    ) -> dict[str, Tensor]:
        """Decoded features ``x^{ph-1}_p`` at masked patches.

        Args:
            clips: ``(B, C, T, H, W)`` float clips.
            visible_index: ``(R, V)`` int64 patches that the auxiliary teacher sees; R is B, or B
                times the masks of a clip.
            masked_index: ``(R, M)`` int64 patches that it decodes.

        Returns:
            Teacher name to ``(R, M, D)`` features.
        """
        with self.precision(clips.device):
            tokens = self.network['backbone'].encode(clips, visible_index).tokens
            return {
                name: decoder(tokens, visible_index, masked_index)
                for name, decoder in self.network['decoders'].items()
            }
