"""Notes which part of the frame a clip shows."""

import numpy as np
from mmaction.registry import TRANSFORMS

from pmd_mmaction.transforms.described import Described


@TRANSFORMS.register_module()
class NoteCropBox(Described):
    """Writes ``crop_box``, for ``DAREHook(region='canonical')``; comes after crops and flips.

    Reads what MMAction2's crops and its ``Flip`` leave: ``crop_quadruple`` (all crops so far;
    without it the whole frame), ``flip`` and ``flip_direction``. Adds ``crop_box``, ``(clips, 4)``
    float32: where the clip's left, top, right and bottom edge lie in the upright frame, whose
    sides are 1. A clip flipped sideways has left > right.
    ``PackActionInputs(meta_keys=('crop_box', ...))`` has to include it.

    Raises:
        ValueError: when called after a crop that does not say where in the frame it is
            (``ThreeCrop``, ``TenCrop``), or a flip before the first crop.
    """

    def transform(self, results: dict) -> dict:
        """Adds the key ``crop_box``."""
        if 'crop_bbox' in results and 'crop_quadruple' not in results:
            raise ValueError(
                'NoteCropBox: the crop of this pipeline leaves no crop_quadruple, so its place in '
                'the frame is unknown: use RandomResizedCrop, MultiScaleCrop, RandomCrop or '
                'CenterCrop'
            )
        order = [key for key in results if key in ('crop_quadruple', 'flip')]  # as they were added
        if order == ['flip', 'crop_quadruple']:
            raise ValueError(
                'NoteCropBox: the pipeline flips before it crops, so the box is that of a flipped '
                'frame: put Flip after the crops'
            )
        x, y, width, height = results.get('crop_quadruple', (0, 0, 1, 1))
        box = np.array([x, y, x + width, y + height], np.float32)
        if results.get('flip'):
            sideways = results.get('flip_direction', 'horizontal') == 'horizontal'
            box = box[[2, 1, 0, 3] if sideways else [0, 3, 2, 1]]
        results['crop_box'] = np.tile(box, (results.get('num_clips', 1), 1))
        return results
