"""Clips of videos, some of which may be unreadable."""

from typing import Sequence

from mmengine.dataset import Compose
from torch.utils.data import Dataset

from pmd_mmaction.datasets.path_list import NO_LABEL
from pmd_mmaction.datasets.read_error import reason_of


class ReadableClips(Dataset):
    """Clips of videos; an unreadable video gives the reason instead.

    Args:
        paths: the videos.
        pipeline: from a path to ``inputs`` and ``data_samples``.
    """

    def __init__(self, paths: Sequence[str], pipeline: Sequence[dict]) -> None:
        self.paths = list(paths)
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict | str:
        info = dict(filename=self.paths[index], label=NO_LABEL, start_index=0, modality='RGB')
        try:
            return self.pipeline(info)
        except Exception as error:  # whatever a decoder raises
            return reason_of(error)
