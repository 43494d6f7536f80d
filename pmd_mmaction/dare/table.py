"""The difficulty table: the smoothed loss of every (video, teacher, patch)."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from pmd_mmaction.dare import scratch_file
from pmd_mmaction.dare.layout import TableLayout
from pmd_mmaction.dare.rows import merge_copies, video_rows

CHUNK_BYTES = 16 * 2**20


class DifficultyTable:
    """Smoothed loss of every (video, teacher, patch), shared by the processes of one node.

    Two arrays of shape (videos, teachers, patches): `current` holds the value of the epoch in which
    the patch was last masked, `stage` what `current` was at the end of the previous stage. Zero
    means never masked. Made by `create` in one process and `attach` in the others.

    The table takes no locks. Processes may make the same `write_rows`, `end_stage` or `reset` at
    once, since each is idempotent, or divide a batch; between such calls and anything else
    that touches the same rows the caller needs a barrier.

    Attributes:
        layout: Size and number format.
        identity: Name of this table among all that exist: processes that share it read the same.
        shape: Shape of each array: (videos, teachers, patches).
        dtype: Number format of both arrays, float16 or float32.
        nbytes: Bytes of both arrays together.
        current: Read-only view of the newest values, of this shape.
        stage: Read-only view of the values at the end of the previous stage.
    """

    def __init__(
        self, layout: TableLayout, memory: mmap.mmap, identity: str = '', path: Path | None = None
    ) -> None:
        """Wrap mapped memory; use `create` or `attach`."""
        self.layout = layout
        self.identity = identity
        self._memory = memory
        self._path = path
        start = scratch_file.HEADER_BYTES
        self._bytes = np.frombuffer(memory, np.uint8, layout.nbytes, offset=start)
        self._current, self._stage = self._bytes.view(layout.numpy_dtype).reshape(2, *layout.shape)
        self.shape, self.dtype, self.nbytes = layout.shape, layout.numpy_dtype, layout.nbytes
        self.current, self.stage = _read_only(self._current), _read_only(self._stage)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike | None,
        num_videos: int,
        num_teachers: int,
        num_patches: int,
        dtype: str = 'float16',
    ) -> DifficultyTable:
        """Creates a table of zeros.

        Args:
            path: Scratch file to create for other processes to attach to; None keeps the table in
                the memory of this process (and those it forks later).
            num_videos: Number of videos of the data set.
            num_teachers: Number of teachers.
            num_patches: Number of patches of a clip.
            dtype: ``"float16"`` or ``"float32"``.

        Returns:
            The table.

        Raises:
            ValueError: If a size or the dtype is not usable.
            FileExistsError: If the file exists.
            OSError: If the file system has not enough space.
        """
        layout = TableLayout(num_videos, num_teachers, num_patches, dtype)
        if path is None:
            return cls(layout, mmap.mmap(-1, scratch_file.HEADER_BYTES + layout.nbytes))
        return cls(*scratch_file.create_scratch(path, layout), Path(path))

    @classmethod
    def attach(cls, path: str | os.PathLike) -> DifficultyTable:
        """Maps the table that another process of this node has created.

        Args:
            path: The scratch file.

        Returns:
            The same table: what one process writes, the others read.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a complete scratch file.
        """
        return cls(*scratch_file.attach_scratch(path), Path(path))

    def unlink(self) -> None:
        """Removes the name of the scratch file once every process has attached.

        The mapping stays valid, and the system frees the space when the last process ends, however
        it ends. Nothing happens if the name is gone already or there never was one.
        """
        path, self._path = self._path, None
        if path is not None:
            path.unlink(missing_ok=True)

    def read(self, sample_idx: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Copies the rows of some videos.

        Args:
            sample_idx: Sample index of each clip, length B, in [0, videos); repetition is allowed.

        Returns:
            The last smoothed losses and those at the end of the previous stage, each
            (B, teachers, patches) float32 on the CPU, >= 0.

        Raises:
            IndexError: If an index is negative or too large.
        """
        videos = video_rows(sample_idx, self.shape[0])
        last, stage = (torch.from_numpy(part[videos]) for part in (self._current, self._stage))
        return last.float(), stage.float()

    def write_rows(
        self,
        sample_idx: Sequence[int] | np.ndarray | torch.Tensor,
        rows: np.ndarray | torch.Tensor,
        place: int = 0,
        sharers: int = 1,
    ) -> None:
        """Stores rows in `current` where they are not NaN.

        A patch of a video that comes several times in the batch gets the mean over the copies in
        which it was masked, so the order of the clips (and of the ranks they come from) does not
        matter. No value depends on the one it replaces, so several processes may write the same
        batch, or divide it: each video of it has one writer, which sees all its copies.

        Args:
            sample_idx: Sample index of each clip, length B, in [0, videos).
            rows: Result of `pack_rows`, (B, teachers, patches) in the table's dtype, on the host,
                none infinite (`check_finite`).
            place: Of this process among those that divide the batch, in [0, sharers).
            sharers: Number of these processes.

        Raises:
            IndexError: If a video lies outside of the table.
            ValueError: If the shape is wrong.
        """
        videos = video_rows(sample_idx, self.shape[0])
        expected = (len(videos), *self.shape[1:])
        if rows.shape != expected:
            raise ValueError(f'rows must have shape {expected}, got {tuple(rows.shape)}')
        rows, mine = np.asarray(rows), videos % sharers == place
        if not mine.all():
            videos, rows = videos[mine], rows[mine]
        self._merge(*merge_copies(videos, rows))

    def _merge(self, videos: np.ndarray, rows: np.ndarray) -> None:
        """Stores rows of different videos where they are not NaN."""
        merged = self._current[videos]
        np.copyto(merged, rows, where=~np.isnan(rows))
        self._current[videos] = merged

    def end_stage(self) -> None:
        """Makes `current` the values at the end of the previous stage."""
        half = self.nbytes // 2
        for start in range(0, half, CHUNK_BYTES):
            stop = min(start + CHUNK_BYTES, half)
            self._bytes[half + start : half + stop] = self._bytes[start:stop]
            scratch_file.release_pages(self._memory, start, stop)
            scratch_file.release_pages(self._memory, half + start, half + stop)

    def reset(self) -> None:
        """Sets both arrays to zero: nothing was ever masked."""
        for chunk in self.chunks():
            array = np.frombuffer(chunk, np.uint8)
            if array.any():  # what is zero already is not written (no dirty pages)
                array[:] = 0

    def chunks(self, size: int = CHUNK_BYTES) -> Iterator[memoryview]:
        """Walks through the raw bytes of `current`, then `stage`, to store or to fill them.

        Args:
            size: Bytes per chunk; the last may be shorter.

        Yields:
            Writable views of the little-endian bytes, in order. The pages of a chunk leave the
            resident memory of this process when the next one is asked for.
        """
        for start in range(0, self.nbytes, size):
            stop = min(start + size, self.nbytes)
            yield memoryview(self._bytes[start:stop])
            scratch_file.release_pages(self._memory, start, stop)


def _read_only(array: np.ndarray) -> np.ndarray:
    """View of an array that refuses to be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
