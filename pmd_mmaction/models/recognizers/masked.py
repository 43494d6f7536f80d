"""Base class of masked pre-training models: seeded masks, features of full clips."""

import torch
from mmaction.models.recognizers.base import BaseRecognizer
from torch import Tensor, nn

from pmd_mmaction.arguments import Config, checked, require
from pmd_mmaction.models.recognizers.masking import build_masker


class MaskedRecognizer(BaseRecognizer):
    """A masked encoder with a masker.

    Args:
        backbone: a :class:`MaskedVisionTransformer`.
        masker: a :class:`Masker`.
        data_preprocessor: as usual in MMAction2.

    Raises:
        ValueError: if one of them is of another kind.
    """

    @checked
    def __init__(
        self, backbone: Config, masker: dict, data_preprocessor: dict | None = None
    ) -> None:
        if data_preprocessor is not None and not isinstance(data_preprocessor, nn.Module):
            require(self, Config, data_preprocessor=data_preprocessor)
        super().__init__(backbone=backbone, data_preprocessor=data_preprocessor)
        if not hasattr(self.backbone, 'token_grid'):
            raise ValueError(
                f'{type(self).__name__}: backbone is a {type(self.backbone).__name__}, which '
                'cannot leave out masked patches; it must be a MaskedVisionTransformer'
            )
        if getattr(self.backbone, 'fc_norm', None) is not None:
            raise ValueError(
                f'{type(self).__name__}: backbone.use_mean_pooling is True; it must be False here, '
                'since pooling takes away the norm with which a pre-trained encoder ends'
            )
        self.masker = build_masker(self, 'masker', masker)
        self._mask_seed: int | None = None

    def seed_masks(self, seed: int) -> None:
        """Sets the seed of the next iteration's masks."""
        self._mask_seed = seed

    def mask_generator(self, device: torch.device) -> torch.Generator:
        """The random generator of this iteration's masks, on the clips' device."""
        seed = self._mask_seed
        if seed is None:  # outside the Runner: follow torch.manual_seed
            seed = int(torch.randint(2**62, ()))
        return torch.Generator(device).manual_seed(seed)

    def extract_feat(
        self, inputs: Tensor, stage: str = 'backbone', test_mode: bool = True
    ) -> tuple[Tensor, dict]:
        """Mean over the tokens of all patches and over the clips of a video.

        Args:
            inputs: ``(B, clips, C, T, H, W)`` normalised clips.
            stage: only ``'backbone'``.
            test_mode: ignored; part of MMAction2's interface.

        Returns:
            ``(B, D)`` features and an empty dict (MMAction2's convention).

        Raises:
            ValueError: for another ``stage``.
        """
        if stage != 'backbone':
            raise ValueError(f"stage is {stage!r}; a pre-training model has only 'backbone'")
        tokens = self.backbone.encode(inputs.flatten(0, 1)).tokens
        return tokens.mean(1).unflatten(0, inputs.shape[:2]).mean(1), {}

    def _forward(self, inputs: Tensor, stage: str = 'backbone') -> Tensor:
        """The result of ``mode='tensor'``: the features of :meth:`extract_feat`."""
        return self.extract_feat(inputs, stage)[0]

    def predict(self, inputs: Tensor, data_samples: list) -> list:
        """Stores the pooled ``(D,)`` float32 feature of each video in ``sample.feature``."""
        features, _ = self.extract_feat(inputs)
        for sample, feature in zip(data_samples, features.float()):
            sample.set_field(feature, 'feature')
        return data_samples
