"""Records the finished files of a long job, so that it can be resumed."""

from __future__ import annotations

import json
from pathlib import Path


class Journal:
    """A file with one JSON line per finished item; a line cut off by a crash does not count.

    Args:
        path: the file; it is created if it does not exist.
        settings: settings that the results depend on; results of other settings are not reused.

    Raises:
        ValueError: if the file is not a journal.
    """

    def __init__(self, path: Path, settings: dict) -> None:
        self._settings = json.dumps(settings, sort_keys=True)
        self._results: dict[str, dict] = {}
        data = path.read_bytes() if path.is_file() else b''
        whole = data[: data.rfind(b'\n') + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                if entry['settings'] == self._settings:
                    self._results[entry['key']] = entry['result']
            except (ValueError, TypeError, KeyError):
                raise ValueError(
                    f'{path}, line {number}: not the journal of an interrupted run; remove the '
                    'file, or choose another name'
                ) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open('ab')
        self._file.truncate(len(whole))

    def get(self, key: str) -> dict | None:
        """The result of an item, or None if it is not finished."""
        return self._results.get(key)

    def add(self, key: str, result: dict) -> None:
        """Records a result; it survives if the process is killed afterwards."""
        self._results[key] = result
        entry = dict(key=key, settings=self._settings, result=result)
        self._file.write(json.dumps(entry).encode() + b'\n')
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
