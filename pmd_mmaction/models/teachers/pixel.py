"""Pixels as a teacher: the target of MAE and VideoMAE."""

from typing import Annotated, Literal, Sequence

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from pmd_mmaction.arguments import ClipSize, Positive, TokenGrid, checked, colours
from pmd_mmaction.functional import normalize_pixels, patchify
from pmd_mmaction.models.teachers.frozen import FeatureTeacher, LayerGroup, TeacherOutput

Colours = Annotated[Sequence[float], colours()]


@MODELS.register_module()
class PixelTeacher(FeatureTeacher):
    """The pixels of each patch, normalised per patch and channel.

    A patch of a single colour (black bars) has a target of 0; in VideoMAE's code its target is the
    rounding error of its mean. A row holds one channel after the other; in VideoMAE's rows the
    channel index varies fastest.

    Args:
        token_grid: tokens along (time, height, width). The recognizer fills it in.
        clip_size: (C, T, H, W) of the clips. The recognizer fills it in.
        mean: mean of the data preprocessor, in grey levels from 0 to 255; None: 0. The recognizer
            fills it in.
        std: its standard deviation, likewise; None: 1.
        normalize: False: plain pixels.
        normalize_eps: added to a patch's standard deviation.
        scale: ``'unit'``: pixels in [0, 1]; ``'data'``: less ``mean`` and over ``std``, as the
            student sees them (DMAE).

    Raises:
        ValueError: naming the invalid argument.
    """

    depth = 0

    @checked
    def __init__(
        self,
        token_grid: TokenGrid,
        clip_size: ClipSize,
        mean: Colours | None = None,
        std: Colours | None = None,
        normalize: bool = True,
        normalize_eps: Positive = 1e-6,
        scale: Literal['unit', 'data'] = 'unit',
    ) -> None:
        super().__init__(nn.Identity(), target_norm='none', last_norm=False)
        self.token_grid, self.clip_size = tuple(token_grid), tuple(clip_size)
        channels, frames, height, _ = clip_size
        self.tubelet_size, self.patch_size = frames // token_grid[0], height // token_grid[1]
        self.embed_dims = channels * self.tubelet_size * self.patch_size**2
        self.normalize = normalize
        self.normalize_eps = normalize_eps
        self.scale = scale
        for name, values in dict(mean=mean or [0.0], std=std or [1.0]).items():
            table = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)
            self.register_buffer(name, table, persistent=False)

    @torch.no_grad()
    def forward(
        self,
        clips: Tensor,
        groups: Sequence[LayerGroup] = (),
        visible_index: Tensor | None = None,
        last: bool = True,
    ) -> TeacherOutput:
        """The pixels of all patches.

        Args:
            clips: ``(B, C, T, H, W)`` normalised clips.
            groups: must be empty: there are no layers.
            visible_index: must be None: pixels are those of the full clip.
            last: must be True: there is nothing else to give.

        Returns:
            ``(B, N, C * P)`` float32 features, channel after channel.

        Raises:
            ValueError: for layers or a view.
        """
        if groups or visible_index is not None or not last:
            raise ValueError('PixelTeacher has no layers and no view: it gives all patches')
        pixels = clips.float()
        if self.scale == 'unit':
            pixels = (pixels * self.std + self.mean) / 255
        patches = patchify(pixels, self.tubelet_size, self.patch_size)
        if self.normalize:
            patches = normalize_pixels(patches, self.clip_size[0], self.normalize_eps)
        return TeacherOutput(patches, ())
