"""Masked pixel reconstruction, to train teachers from scratch."""

from mmaction.registry import MODELS
from torch import nn

from pmd_mmaction.arguments import checked
from pmd_mmaction.models.recognizers.distillation import MaskedDistillation


@MODELS.register_module()
class MaskedAutoencoder(MaskedDistillation):
    """MAE on frames (``num_frames=1, tubelet_size=1``) or VideoMAE on clips.

    The encoder sees the visible patches; the decoder predicts the pixels of the masked
    ones (:class:`PixelTeacher`). Trains a teacher for your own domain, resolution or model size
    where no public checkpoint exists. Loss and gradients equal those of VideoMAE's code, except
    for patches of a single colour.

    Args:
        backbone: a :class:`MaskedVisionTransformer`.
        decoder: a :class:`FeatureDecoder`.
        masker: a :class:`Masker`.
        mask_ratio: fraction of masked patches in (0, 1).
        normalize_target: predict pixels normalised per patch and channel; False: pixels in
            [0, 1].
        normalize_eps: added to a patch's standard deviation, for pixels in [0, 1].
        num_masks: masks per clip.
        data_preprocessor: as usual in MMAction2; the target is computed from the pixels before
            normalisation with its ``mean`` and ``std``, in grey levels from 0 to 255.

    Raises:
        ValueError: for an invalid argument, or if ``mask_ratio`` leaves no visible or no masked
            patch.
    """

    @checked
    def __init__(
        self,
        backbone: dict,
        decoder: dict,
        masker: dict,
        mask_ratio: float,
        normalize_target: bool = True,
        normalize_eps: float = 1e-6,
        num_masks: int = 1,
        data_preprocessor: dict | nn.Module | None = None,
    ) -> None:
        pixels = dict(type='PixelTeacher', normalize=normalize_target, normalize_eps=normalize_eps)
        super().__init__(
            backbone,
            masker,
            dict(pixel=pixels),
            [dict(type='PixelTerm')],
            decoder,
            mask_ratio=mask_ratio,
            num_masks=num_masks,
            data_preprocessor=data_preprocessor,
        )
