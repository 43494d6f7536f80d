"""Order of the steps of a pipeline that note boxes, and of those that move what is in them."""

from collections.abc import Sequence


def check_crop_boxes(steps: Sequence[str]) -> None:
    """Refuses what :class:`NoteCropBox` cannot see: a second flip, what follows it or the box.

    Args:
        steps: class names of the pipeline.

    Raises:
        ValueError: naming the crops and flips in their order.
    """
    flips = [i for i, name in enumerate(steps) if name == 'Flip']
    crops = [i for i, name in enumerate(steps) if _is_crop(name)]
    noted = steps.index('NoteCropBox') if 'NoteCropBox' in steps else len(steps)
    late = any(i > noted for i in flips + crops)
    if late or len(flips) > 1 or (flips and crops and flips[0] < crops[-1]):
        raise ValueError(
            "DAREHook(region='canonical') needs the place of each clip in its frame, which is "
            'known after crops, then one flip, then NoteCropBox: the train pipeline has '
            + ', '.join(name for name in steps if 'Crop' in name or name == 'Flip')
        )


def check_object_boxes(steps: Sequence[str]) -> None:
    """Refuses steps after :class:`PasteMovingObjects` that move objects and leave their boxes.

    Args:
        steps: class names of the pipeline.

    Raises:
        ValueError: naming the steps.
    """
    pasted = steps.index('PasteMovingObjects') if 'PasteMovingObjects' in steps else len(steps)
    late = [n for n in steps[pasted:] if _is_crop(n) or n == 'Flip' or n.endswith('Resize')]
    if late:
        raise ValueError(
            f'{", ".join(late)} after PasteMovingObjects would move the objects and leave their '
            'boxes, so the masks would be elsewhere: make PasteMovingObjects the last step before '
            'FormatShape'
        )


def _is_crop(name: str) -> bool:
    return 'Crop' in name and name != 'NoteCropBox'
