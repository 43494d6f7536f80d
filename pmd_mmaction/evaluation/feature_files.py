"""Files of features, and what an interrupted extraction has finished."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from pmd_mmaction.storage.atomic_file import atomic_writer, write_file


class ExtractionError(Exception):
    """Tells what is wrong and the remedy."""


class Parts:
    """The finished part of an extraction, in a folder beside the output.

    Args:
        out: the output.
        settings: what the features depend on; finished batches of others are refused.

    Raises:
        ExtractionError: if the folder holds batches of another extraction.
    """

    def __init__(self, out: Path, settings: dict) -> None:
        self.folder = out.with_name(out.name + '.parts')
        self.note = self.folder / 'settings.json'
        self.text = json.dumps(settings, indent=2, sort_keys=True)
        self.begun = bool(self.done())
        if self.begun and self.note.read_text(encoding='utf-8') != self.text:
            raise ExtractionError(
                f'{self.folder} is of another config, checkpoint, list or option: finish that one '
                'with its own command, remove the folder, or choose another --out'
            )

    def done(self) -> list[dict]:
        """Notes on the finished batches, in order."""
        notes = sorted(self.folder.glob('part_*.json'))
        return [json.loads(note.read_text(encoding='utf-8')) for note in notes]

    def add(self, end: int, index: list[int], features: np.ndarray) -> None:
        """Writes a batch; its note comes last and makes it count."""
        if not self.begun:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(self.note, self.text.encode())
            self.begun = True
        name = f'part_{end:09d}'
        write_file(self.folder / f'{name}.safetensors', save(dict(features=features)))
        note = dict(end=end, index=index, file=f'{name}.safetensors')
        write_file(self.folder / f'{name}.json', json.dumps(note).encode())

    def merge(self) -> tuple[list[int], np.ndarray]:
        """Indices and features of all videos that could be read."""
        notes = [note for note in self.done() if note['index']]
        parts = [load_file(self.folder / note['file'])['features'] for note in notes]
        index = [i for note in notes for i in note['index']]
        return index, np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def write_features(out: Path, features: np.ndarray, names: list[str], labels: list[int]) -> None:
    """Writes ``features``, ``labels`` (-1 where unknown) and the names of the videos."""
    with atomic_writer(out) as file:
        if out.suffix == '.npz':
            np.savez(file, features=features, labels=np.array(labels), names=np.array(names))
        else:
            tensors = dict(features=features, labels=np.array(labels))
            file.write(save(tensors, metadata=dict(names=json.dumps(names))))


def write_windows(out: Path, features: np.ndarray, times: np.ndarray, settings: dict) -> None:
    """Writes the windows of one video: ``features``, ``times`` in seconds, and the settings."""
    out.parent.mkdir(parents=True, exist_ok=True)
    note = dict(settings=json.dumps(settings, sort_keys=True))
    write_file(out, save(dict(features=features, times=times), metadata=note))


def windows_are_finished(out: Path, settings: dict) -> bool:
    """Whether a video's file is there.

    Args:
        out: the file.
        settings: of this extraction; ``bytes`` is compared where both know it.

    Raises:
        ExtractionError: if it is of another extraction.
    """
    if not out.exists():
        return False
    with safe_open(out, 'np') as file:
        note = (file.metadata() or {}).get('settings')
    known = json.loads(note or '{}')
    sizes = {known.pop('bytes', None), settings.get('bytes')} - {None}
    if known != {k: v for k, v in settings.items() if k != 'bytes'} or len(sizes) > 1:
        raise ExtractionError(
            f'{out} is of another video, config, checkpoint or option: choose another --out, or '
            'remove it'
        )
    return True
