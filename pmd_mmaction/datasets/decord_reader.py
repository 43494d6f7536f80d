"""Frames of a video by their number, decoded by decord."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from pmd_mmaction.datasets.video_stream import VideoError, refuse_special_file


class DecordReader:
    """:class:`VideoReader` on decord, with one thread; the same arguments, results and errors."""

    def __init__(self, path: str, content: bytes | None = None) -> None:
        import decord

        self.path = path
        try:
            if content is None:
                refuse_special_file(path)
                with open(path, 'rb') as file:
                    content = file.read()
            self._reader = decord.VideoReader(io.BytesIO(content), num_threads=1)
        except (OSError, RuntimeError, decord.DECORDError) as error:
            raise VideoError(f'{path}: {error}') from error
        self.avg_fps = self._reader.get_avg_fps()

    def __len__(self) -> int:
        return len(self._reader)

    def __enter__(self) -> DecordReader:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder; its thread would go on."""
        self._reader = None

    def read(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Decodes frames; see :meth:`VideoReader.read`.

        Raises:
            VideoError: if the file is damaged where it has to be decoded.
        """
        import decord

        try:
            return list(self._reader.get_batch([int(n) for n in numbers]).asnumpy())
        except (RuntimeError, decord.DECORDError) as error:
            raise VideoError(f'{self.path}: {error}') from error
