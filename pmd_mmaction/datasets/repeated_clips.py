"""Repeated augmentation: several clips of each video, decoded once."""

from __future__ import annotations

from mmaction.datasets import RepeatAugDataset, VideoDataset
from mmaction.registry import DATASETS

STEPS = {0: 'VideoInit', 2: 'VideoDecode'}


@DATASETS.register_module()
class RepeatedClipsDataset(RepeatAugDataset):
    """MMAction2's ``RepeatAugDataset`` with the readers of :class:`VideoInit`.

    The pipeline begins with ``VideoInit``, a transform that samples frames, ``VideoDecode``;
    each clip samples frames of its own, all of them are decoded in one pass, and the rest of
    the pipeline runs per clip. Needs ``collate_fn=dict(type='repeat_pseudo_collate')``.

    Args:
        ann_file: the list of videos and labels.
        pipeline: the transforms.
        num_repeats: clips per video.
        sample_once: all clips of a video show the same frames.
        **kwargs: of ``VideoDataset``.

    Raises:
        ValueError: if the pipeline begins otherwise.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict],
        num_repeats: int = 4,
        sample_once: bool = False,
        **kwargs,
    ) -> None:
        for position, name in STEPS.items():
            found = pipeline[position]['type'] if position < len(pipeline) else None
            if found != name:
                raise ValueError(
                    f'step {position} of the pipeline is {found}; RepeatedClipsDataset needs '
                    'VideoInit, a transform that samples frames, VideoDecode, then the rest'
                )
        # The parent's own __init__ accepts no reader but decord's.
        VideoDataset.__init__(self, ann_file, pipeline=pipeline, test_mode=False, **kwargs)
        self.num_repeats = num_repeats
        self.sample_once = sample_once
