"""Several clips of a video from one decoding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmaction.datasets.repeat_aug_dataset import get_type
from mmaction.registry import DATASETS

from pmd_mmaction.arguments import Whole, checked
from pmd_mmaction.datasets.path_list import PathListDataset

DECODING_STEPS = {'VideoDecode': 'VideoInit', 'DecordDecode': 'DecordInit'}


@DATASETS.register_module()
class RepeatAugPathListDataset(PathListDataset):
    """Repeated augmentation with the lists, readers and checks of :class:`PathListDataset`.

    A video is opened and decoded once and gives ``num_repeats`` clips with the same
    ``sample_idx``. Each is drawn as :class:`PathListDataset` would draw it, with its own frames,
    crop and flip. Needs ``collate_fn=dict(type='clip_collate')``; the batch size of the
    data loader counts videos.

    The pipeline opens the file (``VideoInit``), samples frames in the step before ``VideoDecode``,
    and continues per clip after it (or MMAction2's ``DecordInit`` and ``DecordDecode``). Steps
    before the sampling run once per video: ``SeedAugmentation`` belongs there, and the clips draw
    from its seed one after the other.

    Args:
        ann_file: the list file.
        pipeline: transforms.
        num_repeats: clips per video.
        sample_once: all clips of a video show the same frames.
        **options: options of :class:`PathListDataset`.

    Raises:
        ValueError: if the pipeline lacks these steps, or ``num_repeats`` is below 1.
    """

    OPTIONS = PathListDataset.OPTIONS | dict(num_repeats=Whole, sample_once=bool)

    @checked
    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        num_repeats: Whole = 4,
        sample_once: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(ann_file, pipeline, **options)
        self.num_repeats = num_repeats
        self.sample_once = sample_once
        steps = self.pipeline.transforms
        self._decode = _find_decoding([get_type(step) for step in steps])
        early = [get_type(s) for s in steps[: self._decode - 1] if hasattr(s, 'clip_len')]
        if early and not sample_once:
            raise ValueError(
                f'{early[0]} samples frames, but {get_type(steps[self._decode - 1])} comes between '
                'it and the decoding, so all clips of a video would be the same: sample last'
            )

    def prepare_data(self, idx: int) -> list[dict] | None:
        """The packed clips of a video; None if a transform gives up."""
        steps = self.pipeline.transforms
        video = self.get_data_info(idx)
        for step in steps[: self._decode - 1]:
            video = step(video)
            if video is None:
                return None
        sample, decode = steps[self._decode - 1 : self._decode + 1]
        count = 1 if self.sample_once else self.num_repeats
        drawn = [sample(_without_reader(video)) for _ in range(count)]
        drawn *= self.num_repeats // len(drawn)
        frame_inds = [clip['frame_inds'].reshape(-1) for clip in drawn]
        decoded = decode(video | drawn[0] | dict(frame_inds=np.concatenate(frame_inds)))
        images = decoded.pop('imgs')
        clips, start = [], 0
        for inds in frame_inds:
            clip = dict(copy.deepcopy(decoded), frame_inds=inds)
            clip['imgs'] = images[start : start + len(inds)]
            start += len(inds)
            for step in steps[self._decode + 1 :]:
                clip = step(clip)
                if clip is None:
                    return None
            clips.append(clip)
        return clips


def _without_reader(video: dict) -> dict:
    """A copy that a transform may modify; the open file is not part of it."""
    return {key: value for key, value in video.items() if key != 'video_reader'}


def _find_decoding(names: list[str]) -> int:
    """Index of the decoding step in the pipeline."""
    for position, name in enumerate(names):
        if DECODING_STEPS.get(name) in names[: max(0, position - 1)]:
            return position
    raise ValueError(
        f'the pipeline is {names}; repeated augmentation needs VideoInit, a transform that samples '
        'frames right before VideoDecode, then the rest'
    )
