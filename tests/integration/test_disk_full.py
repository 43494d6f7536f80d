"""Each kind of file meets a full disk, a tmpfs; the run goes on when there is space again."""

import builtins
import errno
import re
from pathlib import Path
from unittest import mock

from pmd_mmaction.hooks.checkpoints.checkpoint_files import (
    companion_damage,
    file_damage,
    newest_complete,
)
from pmd_mmaction.storage import atomic_file
from pmd_mmaction.storage.disk_full import REMEDY
from tests.integration import processes, tiny
from tests.integration.small_disk import Ballast, mount_small_disk
from tests.integration.test_crash import _ends_as

PAGE = 4096  # space is given out in pages
# What does not fit, how much of it does, and the checkpoint that is the last one then.
FULL = [
    ('phase_1_student.pth', 20 * PAGE, 'epoch_3.pth'),
    ('difficulty_epoch_4_iter_12.table', PAGE, 'epoch_3.pth'),
    ('epoch_5.pth', 50 * PAGE, 'epoch_4.pth'),
    ('last_checkpoint', 0, 'epoch_4.pth'),
]


def _train_until_full(cfg, name: str, free: int, ballast: Ballast) -> OSError:
    """Trains on a disk that gets full when a file is about to be written."""

    def opened(path, mode):
        if Path(path).name == f'{name}.tmp':
            ballast.leave(free)
        return builtins.open(path, mode)

    with mock.patch.object(atomic_file, 'open', opened, create=True):
        try:
            tiny.train(tiny.resumed(cfg))
        except OSError as error:
            return error
    raise AssertionError(f'there was space for {name}')


def _fill_and_go_on(clips: Path, whole: Path, place: Path) -> None:
    """In a process of its own, whose disk ends with it."""
    mount_small_disk(place, 32 * 2**20)
    run, ballast = place / 'run', Ballast(place)
    cfg = tiny.tiny_config(clips, run)
    for name, free, last in FULL:
        error = _train_until_full(cfg, name, free, ballast)
        assert error.errno == errno.ENOSPC
        told = re.fullmatch(
            rf'No space left on device: {re.escape(str(run / name))} was not written; '
            rf'it needs ([\d,]+) bytes, ([\d,]+) bytes are free there. {re.escape(REMEDY)}',
            error.strerror,
        )
        need, left = (int(number.replace(',', '')) for number in told.groups())
        assert left <= free < need, name
        assert not list(run.glob('*.tmp'))
        found = newest_complete(run, warn=_none_expected)
        assert found.name == last, name
        assert file_damage(found) is None and companion_damage(found, run) is None
        ballast.throw_off()
    tiny.train(tiny.resumed(cfg))
    _ends_as(whole, run)


def _none_expected(text: str) -> None:
    raise AssertionError(text)


def test_every_file_meets_a_full_disk_and_the_run_goes_on(finished, clips, tmp_path):
    place = tmp_path / 'disk'
    place.mkdir()
    processes.run(_fill_and_go_on, tmp_path / 'log', clips, Path(finished[1].work_dir), place)
    assert not list(place.iterdir())  # it was on the other disk indeed
