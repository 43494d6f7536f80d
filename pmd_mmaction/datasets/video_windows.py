"""Windows at even distances along videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import Compose
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from pmd_mmaction.datasets.path_list import NO_LABEL
from pmd_mmaction.datasets.read_error import reason_of
from pmd_mmaction.transforms.video_transforms import VideoInit


class Windows(NamedTuple):
    """Successive windows of one video.

    Attributes:
        video: index of the video.
        clips: ``(crops * W, C, T, H, W)``, the windows of the first crop first.
        times: ``(W, 2)`` float32 begin and end of each window in seconds, by the average rate.
        last: whether the video ends with these.
        error: why the video cannot be read to its end; then there are no clips.
    """

    video: int
    clips: Tensor | None
    times: np.ndarray
    last: bool
    error: str | None = None


class VideoWindows(IterableDataset):
    """Windows of ``length`` frames, their first frames ``stride`` frames apart.

    A video is decoded once, from its beginning to its end. Its windows are those that lie within
    it; one that is shorter than a window gives a single one, in which its last frame is repeated.
    Each worker takes videos of its own.

    Args:
        paths: the videos.
        pipeline: from a path to ``inputs``; its sampling step is replaced.
        stride: frames from one window to the next, at least 1.
        at_a_time: windows in one item.
        length: frames of a window; None: as the pipeline samples.
        interval: frames from one frame of a window to the next; None: as the pipeline samples.

    Raises:
        ValueError: for a pipeline that samples no clips of consecutive frames.
    """

    def __init__(
        self,
        paths: Sequence[str],
        pipeline: Sequence[dict],
        stride: int,
        at_a_time: int = 8,
        length: int | None = None,
        interval: int | None = None,
    ) -> None:
        self.paths = list(paths)
        self.stride, self.at_a_time = stride, at_a_time
        place = next((i for i, step in enumerate(pipeline) if 'clip_len' in step), None)
        decodes = place is not None and 'Decode' in str(pipeline[place + 1 :][:1])
        if not decodes:
            raise ValueError(
                'the pipeline has no step with a clip_len, followed by one that decodes'
            )
        sampling = pipeline[place]
        consecutive = 'frame_interval' in sampling or 'SampleFrames' in str(sampling['type'])
        if interval is None and not consecutive:
            raise ValueError(
                f'{sampling["type"]} takes no frames at a fixed interval: give one (--interval)'
            )
        self.length = length or sampling['clip_len']
        self.interval = interval or sampling.get('frame_interval', 1)
        self.target_fps = None if interval else sampling.get('target_fps')
        opens = next((step for step in pipeline[:place] if 'VideoInit' in str(step['type'])), {})
        self.open = VideoInit(**{k: v for k, v in opens.items() if k != 'type'}).open
        self.transform = Compose(pipeline[place + 2 :])

    def __iter__(self) -> Iterator[Windows]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for video in range(first, len(self.paths), step):
            try:
                yield from self._windows(video)
            except Exception as error:  # whatever a decoder raises
                none = np.zeros((0, 2), np.float32)
                yield Windows(video, None, none, True, reason_of(error))

    def _windows(self, video: int) -> Iterator[Windows]:
        """All windows of a video, ``at_a_time`` in an item."""
        with self.open(self.paths[video]) as reader:
            rate = reader.avg_fps or 25.0
            spans, clips = [], []
            for span, frames in self._cut(reader.frames(), self._offsets(reader.avg_fps)):
                if len(clips) == self.at_a_time:
                    yield _pack(video, spans, clips, rate, False)
                    spans, clips = [], []
                spans.append(span)
                clips.append(self._prepare(video, frames))  # at once: frames of a phone are large
            yield _pack(video, spans, clips, rate, True)

    def _offsets(self, rate: float | None) -> Sequence[int]:
        """The frames of a window after its first, as ``SampleFrames`` takes them at this rate."""
        if self.target_fps is None:
            return range(0, self.length * self.interval, self.interval)
        scale = rate / self.target_fps if rate else 1.0
        length = max(1.0, self.length * self.interval * scale)
        return np.linspace(0, length - 1, self.length).astype(int).tolist()

    def _cut(
        self, frames: Iterator[np.ndarray], offsets: Sequence[int]
    ) -> Iterator[tuple[tuple[int, int], list[np.ndarray]]]:
        """Begin and end, in frames, and the frames of each window."""
        kept: dict[int, np.ndarray] = {}
        places = {offset % self.stride for offset in offsets}  # windows begin at whole strides
        start = number = 0
        for number, frame in enumerate(frames):
            if number >= start and number % self.stride in places:
                kept[number] = frame
            if number == start + offsets[-1]:
                yield (start, number + 1), [kept[start + offset] for offset in offsets]
                start += self.stride
                kept = {n: kept[n] for n in kept if n >= start}
        if not start:
            yield (0, number + 1), [kept.get(offset, frame) for offset in offsets]

    def _prepare(self, video: int, frames: list[np.ndarray]) -> Tensor:
        """``(crops, C, T, H, W)`` of one window."""
        height, width = frames[0].shape[:2]
        results = dict(
            filename=self.paths[video],
            label=NO_LABEL,
            start_index=0,
            modality='RGB',
            imgs=frames,
            clip_len=self.length,
            num_clips=1,
            frame_interval=self.interval,
            original_shape=(height, width),
            img_shape=(height, width),
        )
        return self.transform(results)['inputs']


def _pack(
    video: int, spans: list[tuple[int, int]], clips: list[Tensor], rate: float, last: bool
) -> Windows:
    times = (np.array(spans) / rate).astype(np.float32)
    return Windows(video, torch.stack(clips, 1).flatten(0, 1), times, last)
