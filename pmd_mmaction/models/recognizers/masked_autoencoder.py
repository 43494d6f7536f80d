"""Masked pixel reconstruction: how teachers are trained from scratch."""

from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.functional import (
    checks,
    gather_tokens,
    masked_mean,
    normalize_pixels,
    patch_distance,
    patchify,
)
from pmd_mmaction.models.recognizers.masked import MaskedRecognizer
from pmd_mmaction.models.recognizers.parts import build_part


@MODELS.register_module()
class MaskedAutoencoder(MaskedRecognizer):
    """MAE on frames (``num_frames=1, tubelet_size=1``) or VideoMAE on clips.

    The encoder sees the visible patches; the decoder predicts the pixels of the masked
    ones, normalised per patch and channel. Trains a teacher for an own domain, resolution or
    size where no public checkpoint exists.

    Args:
        backbone: a :class:`MaskedVisionTransformer`.
        decoder: a :class:`FeatureDecoder`.
        masker: a :class:`Masker`.
        mask_ratio: share of masked patches in (0, 1).
        normalize_target: predict pixels normalised per patch and channel.
        normalize_eps: added to a patch's standard deviation, in units of the normalised clip.
        data_preprocessor: as everywhere in MMAction2.

    Raises:
        ValueError: for an argument that makes no sense; if ``mask_ratio`` leaves no visible or no
            masked patch.
    """

    def __init__(
        self,
        backbone: dict,
        decoder: dict,
        masker: dict,
        mask_ratio: float,
        normalize_target: bool = True,
        normalize_eps: float = 1e-6,
        data_preprocessor: dict | None = None,
    ) -> None:
        checks.require_flag(self, normalize_target=normalize_target)
        checks.require_number(self, above=0, normalize_eps=normalize_eps)
        super().__init__(backbone, masker, data_preprocessor)
        self.masker.check_ratio(mask_ratio)
        student = self.backbone
        self.pixels = student.tubelet_size * student.patch_size**2
        self.decoder = build_part(
            self,
            'decoder',
            decoder,
            in_dims=student.embed_dims,
            out_dims=student.in_channels * self.pixels,
            token_grid=student.token_grid,
        )
        self.mask_ratio = mask_ratio
        self.normalize_target = normalize_target
        self.normalize_eps = normalize_eps

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Mean squared error of the masked patches' pixels.

        Args:
            inputs: ``(B, clips, C, T, H, W)`` normalised clips.
            data_samples: not used.

        Returns:
            ``loss_pixel``: scalar.
        """
        clips = inputs.flatten(0, 1)
        order = self.masker.order(clips.shape[0], self.mask_generator(clips.device))
        visible, masked = self.masker.view(order, self.mask_ratio)
        target = patchify(clips, self.backbone.tubelet_size, self.backbone.patch_size)
        if self.normalize_target:
            target = normalize_pixels(target, self.backbone.in_channels, self.normalize_eps)
        tokens = self.backbone.encode(clips, visible).tokens
        prediction = self.decoder(tokens, visible, masked)
        return dict(
            loss_pixel=masked_mean(patch_distance(prediction, gather_tokens(target, masked)))
        )
