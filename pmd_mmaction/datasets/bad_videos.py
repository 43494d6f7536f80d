"""Substitution of videos that cannot be read."""

from __future__ import annotations

import itertools
import time
from typing import Any

import torch

from pmd_mmaction.arguments import Count, checked
from pmd_mmaction.datasets.read_error import is_passing, reason_of
from pmd_mmaction.functional import derive_seed

PAUSES = 0.5, 2.0, 8.0  # seconds


class SubstituteBadVideos:
    """Mixin for MMAction2's video data sets; it comes first among the base classes.

    A video is bad if its pipeline raises an error. While substitution is on, another video of
    the data set takes its place, chosen by (seed, epoch, index, attempt), so a resumed run
    chooses the same ones. The substitute has its own ``sample_idx`` and label; its metainfo
    ``bad_videos`` lists the videos that it replaces, as pairs (file name, reason). The pipeline
    has to end with ``PackActionInputs``.

    After an error of the disk or the network the video is read again, three times with pauses of
    10.5 seconds in all, before it counts as bad.

    ``BadVideoHook`` switches substitution on, so that no video is replaced without being
    reported. Otherwise, and always with ``test_mode=True``, a bad video is an error that names
    the file.

    Args:
        *args: arguments of the data set.
        max_substitutes: number of videos to try in place of a bad one; replaces MMEngine's
            ``max_refetch``.
        **kwargs: arguments of the data set.

    Raises:
        ValueError: for a negative ``max_substitutes``.
    """

    @checked
    def __init__(self, *args: Any, max_substitutes: Count = 10, **kwargs: Any) -> None:
        self.max_substitutes = max_substitutes
        # Shared memory, since persistent workers keep the data set they were started with.
        self._seed_and_epoch = torch.tensor([0, -1]).share_memory_()
        super().__init__(*args, max_refetch=0, **kwargs)

    def substitute_bad_videos(self, seed: int, epoch: int) -> None:
        """Switches substitution on for an epoch, also in workers that are already running."""
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def __getitem__(self, idx: int) -> dict | list[dict]:
        """The packed sample of a video, or of its substitute.

        Raises:
            RuntimeError: if the video cannot be read and substitution is off, or no substitute
                can be read either.
        """
        seed, epoch = self._seed_and_epoch.tolist()
        substitutes = 0 if epoch < 0 or self.test_mode else self.max_substitutes
        bad: list[tuple[str, str]] = []
        for attempt in itertools.count():
            chosen = derive_seed(seed, epoch, idx, attempt) % len(self) if attempt else idx
            try:
                data = self._read(chosen)
            except Exception as error:
                bad.append((self.get_data_info(chosen)['filename'], reason_of(error)))
                if attempt == substitutes:
                    raise RuntimeError(_explain(bad)) from error
                continue
            if bad:
                first = data[0] if isinstance(data, list) else data  # repeated augmentation
                first['data_samples'].set_metainfo(dict(bad_videos=bad))
            return data

    def _read(self, index: int) -> dict | list[dict]:
        """The packed sample of a video, read again after an error that may pass."""
        for pause in PAUSES:
            try:
                return super().__getitem__(index)
            except Exception as error:
                if not is_passing(error, self.get_data_info(index)['filename']):
                    raise
            time.sleep(pause)
        return super().__getitem__(index)


def _explain(bad: list[tuple[str, str]]) -> str:
    (name, reason), *others = bad
    told = f'cannot read {name!r}: {reason}'
    if others:
        listed = ''.join(f'\n  {name!r}: {reason}' for name, reason in others)
        told += (
            f'\nNeither can {len(others)} others that were to take its place:{listed}\n'
            'Are data_prefix, the pipeline and the permissions right?'
        )
    return f'{told}\ntools/data/check_videos.py writes a list without bad videos'
