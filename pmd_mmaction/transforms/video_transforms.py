"""Transforms that open a video and decode the sampled frames."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.fileio import get

from pmd_mmaction.arguments import Options, checked, one_of
from pmd_mmaction.readers.decord_reader import DecordReader
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.transforms.described import Described

READERS = {'pyav': VideoReader, 'decord': DecordReader}


@TRANSFORMS.register_module()
class VideoInit(Described):
    """Opens a video; replaces MMAction2's ``DecordInit``.

    Reads ``filename``; adds ``video_reader``, ``total_frames``, ``avg_fps``.

    Args:
        reader: ``'pyav'``, which is faster (``benchmarks/data_pipeline.py`` measures it), or
            ``'decord'``. Both give the same frames.
        backend_args: arguments of ``mmengine.fileio``, for files that are not on a local disk.

    Raises:
        ValueError: for another reader.
        VideoError: when called with a file that is not a readable video.
    """

    @checked
    def __init__(
        self,
        reader: Annotated[str, one_of(tuple(READERS))] = 'pyav',
        backend_args: Options | None = None,
    ) -> None:
        self.reader = reader
        self.backend_args = backend_args

    def open(self, path: str) -> VideoReader:
        """A reader of a video."""
        content = None if self.backend_args is None else get(path, self.backend_args)
        return READERS[self.reader](path, content)

    def transform(self, results: dict) -> dict:
        """Opens ``results['filename']``."""
        results['video_reader'] = video = self.open(results['filename'])
        results['total_frames'] = len(video)
        results['avg_fps'] = video.avg_fps
        return results


@TRANSFORMS.register_module()
class VideoDecode(Described):
    """Decodes the sampled frames; replaces MMAction2's ``DecordDecode``.

    Reads ``video_reader`` (of :class:`VideoInit`), which it closes, and ``frame_inds``; adds
    ``imgs`` (list of ``(H, W, 3)`` uint8 RGB), ``original_shape`` and ``img_shape``.

    Raises:
        VideoError: if the file is damaged.
    """

    def transform(self, results: dict) -> dict:
        """Decodes ``results['frame_inds']``."""
        results['frame_inds'] = np.asarray(results['frame_inds']).reshape(-1)
        video, results['video_reader'] = results['video_reader'], None
        with video:
            results['imgs'] = video.read(results['frame_inds'])
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results
