"""Data preprocessing: normalises the clips of a data loader on the device."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import Config, checked, colours
from pmd_mmaction.transfer import send, send_stacked


@MODELS.register_module()
class ClipPreprocessor(ActionDataPreprocessor):
    """MMAction2's ``ActionDataPreprocessor``, without the host waiting for the device.

    All clips are copied to the device at once, as bytes, and normalised there, with the same
    result. Labels stay on the host, where heads and metrics fetch them. With ``pin_memory=True``
    and ``collate_fn=dict(type='clip_collate')`` the data loader prepares the batch for this copy;
    otherwise the main process stacks and pins it.

    Args:
        mean: mean of each channel, in grey levels from 0 to 255.
        std: standard deviation of each channel, likewise.
        to_rgb: swap the first and the last channel.
        blending: mixes the clips of a training batch (Mixup, CutMix); None: no mixing.
        format_shape: ``'NCTHW'``, or ``'NCHW'`` for single frames.

    Raises:
        ValueError: for an invalid argument.
    """

    @checked
    def __init__(
        self,
        mean: Annotated[Sequence[float], colours()],
        std: Annotated[Sequence[float], colours(above=0)],
        to_rgb: bool = False,
        blending: Config | None = None,
        format_shape: Literal['NCTHW', 'NCHW'] = 'NCTHW',
    ) -> None:
        super().__init__(mean, std, to_rgb, True, blending, format_shape)

    def cast_data(self, data: dict | Sequence[dict]) -> dict | tuple[dict, ...]:
        """Copies the data samples of a batch, with labels; nothing is moved to the device yet."""
        if isinstance(data, Mapping):
            data = {**data, 'data_samples': [sample.new() for sample in data['data_samples']]}
            # of `clip_collate`, which takes them off the samples
            for sample, label in zip(data['data_samples'], data.pop('labels', ())):
                sample.set_gt_label(label)
            return data
        return tuple(self.cast_data(part) for part in data)

    def preprocess(
        self, inputs: Tensor | list[Tensor], data_samples: list, training: bool = False
    ) -> tuple[Tensor, list]:
        """The batch on the device.

        Args:
            inputs: B tensors ``(clips, C, T, H, W)``, uint8, on the host, or one stacked tensor.
            data_samples: B data samples.
            training: whether to blend.

        Returns:
            ``(B, clips, C, T, H, W)`` float32 normalised clips, and the samples.

        Raises:
            ValueError: if the clips are not of one shape.
        """
        if isinstance(inputs, Tensor):
            batch = send(inputs, self.device)
        else:
            _check_shapes(inputs)
            batch = send_stacked(inputs, self.device)
        if self.to_rgb:
            batch = batch.flip(-self.mean.ndim)
        batch = (batch - self.mean).div_(self.std)
        if training and self.blending is not None:
            return self.blending(batch, data_samples)
        return batch, data_samples


def _check_shapes(clips: list[Tensor]) -> None:
    """Refuses clips that cannot be stacked."""
    shapes = sorted({tuple(clip.shape) for clip in clips})
    if len(shapes) > 1:
        raise ValueError(
            f'the clips of a batch have different shapes, such as {shapes[0]} and {shapes[-1]}: '
            'let the pipeline crop or resize all of them to one size'
        )
