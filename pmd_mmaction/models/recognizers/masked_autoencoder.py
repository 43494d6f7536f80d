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
    split_mask,
)
from pmd_mmaction.models.recognizers.masked import MaskedRecognizer
from pmd_mmaction.models.recognizers.parts import build_part


@MODELS.register_module()
class MaskedAutoencoder(MaskedRecognizer):
    """MAE on frames (``num_frames=1, tubelet_size=1``) or VideoMAE on clips.

    The encoder sees the visible patches; the decoder predicts the pixels of the masked
    ones, normalised per patch and channel. Trains a teacher for an own domain, resolution or
    size where no public checkpoint exists.

    Loss and gradients equal those of VideoMAE's code, but for patches of exactly one colour
    (black bars): their target is 0 here, the rounding error of their mean there. A row of the
    prediction holds one channel after the other; in VideoMAE channels run fastest.

    Args:
        backbone: a :class:`MaskedVisionTransformer`.
        decoder: a :class:`FeatureDecoder`.
        masker: a :class:`Masker`.
        mask_ratio: share of masked patches in (0, 1).
        normalize_target: predict pixels normalised per patch and channel; False: pixels in
            [0, 1].
        normalize_eps: added to a patch's standard deviation, where pixels are in [0, 1].
        data_preprocessor: as everywhere in MMAction2; the target is made of the pixels before
            its ``mean`` and ``std``, which are grey levels of 0 to 255.

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
        ranks = self.masker.rank(clips.shape[0], self.mask_generator(clips.device))
        mask = self.masker.mask(ranks, self.mask_ratio)
        visible, masked = split_mask(mask, self.masker.num_visible(self.mask_ratio))
        tokens = self.backbone.encode(clips, visible).tokens
        prediction = self.decoder(tokens, visible, masked)
        return dict(loss_pixel=masked_mean(patch_distance(prediction, self.target(clips, masked))))

    def target(self, clips: Tensor, masked_index: Tensor) -> Tensor:
        """What the decoder predicts.

        Args:
            clips: ``(B, C, T, H, W)`` normalised clips.
            masked_index: ``(B, M)`` int64 patch indices.

        Returns:
            ``(B, M, C * P)`` float32 pixels of the masked patches, channel after channel.
        """
        pixels = clips.float()
        mean, std = (getattr(self.data_preprocessor, name, None) for name in ('mean', 'std'))
        if mean is not None:
            pixels = pixels * std.view(-1, 1, 1, 1) + mean.view(-1, 1, 1, 1)
        patches = patchify(pixels / 255, self.backbone.tubelet_size, self.backbone.patch_size)
        patches = gather_tokens(patches, masked_index)
        if self.normalize_target:
            return normalize_pixels(patches, self.backbone.in_channels, self.normalize_eps)
        return patches
