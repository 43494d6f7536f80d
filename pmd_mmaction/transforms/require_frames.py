"""Refuses videos that are too short."""

from mmaction.registry import TRANSFORMS

from pmd_mmaction.arguments import Whole, checked
from pmd_mmaction.transforms.described import Described


@TRANSFORMS.register_module()
class RequireFrames(Described):
    """Refuses videos with too few frames; comes after the transform that opens the file.

    ``SampleFrames`` repeats the frames of a short video, so that a single frame becomes a clip
    without motion.

    Args:
        minimum: frames a video must have.

    Raises:
        ValueError: for a ``minimum`` below 1.
    """

    @checked
    def __init__(self, minimum: Whole) -> None:
        self.minimum = minimum

    def transform(self, results: dict) -> dict:
        """Returns the results unchanged.

        Raises:
            ValueError: if ``total_frames`` is below the minimum.
        """
        if results['total_frames'] < self.minimum:
            raise ValueError(f'{results["total_frames"]} of at least {self.minimum} frames')
        return results
