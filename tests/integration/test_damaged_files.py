"""A damaged file: the checkpoint before is used, with a warning, and the end is the same."""

import copy
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from pmd_mmaction.hooks.checkpoints.checkpoint_files import companion_damage
from tests.integration import tiny
from tests.integration.test_crash import _ends_as

TABLE = 'difficulty_epoch_5_iter_15.table'


@pytest.fixture(scope='module')
def stopped(clips, tmp_path_factory):
    """Config of a run that ended after five epochs, all checkpoints kept."""
    cfg = tiny.tiny_config(
        clips,
        tmp_path_factory.mktemp('stopped') / 'run',
        dict(type='StopAfter', epoch=4),
        default_hooks__checkpoint__max_keep_ckpts=9,
        log_level='WARNING',
    )
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    del cfg.custom_hooks[-1]
    return tiny.resumed(cfg)


@pytest.fixture
def again(stopped, tmp_path):
    """The same, in a copy of its directory."""
    cfg = copy.deepcopy(stopped)
    cfg.work_dir = str(tmp_path / 'copy')
    shutil.copytree(stopped.work_dir, cfg.work_dir)
    return cfg


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if zipfile.is_zipfile(path):  # in a tensor: between two it would not matter
        with zipfile.ZipFile(path) as archive:
            tensors = [part for part in archive.infolist() if '/data/' in part.filename]
            largest = max(tensors, key=lambda part: part.file_size)
        middle = largest.header_offset + largest.file_size // 2
    content[middle] ^= 1
    path.write_bytes(content)


# What is done to which file, the checkpoint that is used then, and why later ones are not.
DAMAGES = [
    (_cut, 'epoch_5.pth', 'epoch_4.pth', 'epoch_5.pth is cut short or changed'),
    (_flip, 'epoch_5.pth', 'epoch_4.pth', 'epoch_5.pth was changed after it was written'),
    (_cut, TABLE, 'epoch_4.pth', f'{TABLE} has .* bytes instead of'),
    (_flip, TABLE, 'epoch_4.pth', f'{TABLE} has the digest .*, the checkpoint names'),
    (Path.unlink, TABLE, 'epoch_4.pth', f'No such file.*{TABLE}'),
    # of phase 2, to which epochs 4 and 5 belong; the last of phase 1 makes it anew
    (_cut, 'phase_1_student.pth', 'epoch_3.pth', 'is not the auxiliary teacher'),
    (_flip, 'phase_1_student.pth', 'epoch_3.pth', 'is not the auxiliary teacher'),
    (Path.unlink, 'phase_1_student.pth', 'epoch_3.pth', 'auxiliary teacher, does not exist'),
]


@pytest.mark.parametrize(
    'damage, name, used, reason', DAMAGES, ids=[f'{d[0].__name__} {d[1]}' for d in DAMAGES]
)
def test_the_checkpoint_before_is_used(again, name, damage, used, reason):
    run = Path(again.work_dir)
    before = {path: companion_damage(path, run) for path in run.glob('epoch_*.pth')}
    assert set(before.values()) == {None} and len(before) == 5
    damage(run / name)
    runner = tiny.build(again)
    runner.call_hook('before_run')  # where it is chosen
    assert Path(runner._load_from) == run / used
    text = ''.join(path.read_text() for path in run.glob('*/*.log'))
    passed_over = re.findall(r'(epoch_\d\.pth) is not used, going back to [a-z ]*: (.*)', text)
    later = ['epoch_5.pth', 'epoch_4.pth']
    assert [other for other, _ in passed_over] == [path for path in later if path > used]
    assert all(re.search(reason, told) for _, told in passed_over)


@pytest.mark.parametrize('name', ['epoch_5.pth', TABLE, 'phase_1_student.pth'])
def test_the_end_is_the_same(finished, again, name):
    _flip(Path(again.work_dir) / name)
    tiny.train(again)
    _ends_as(Path(finished[1].work_dir), Path(again.work_dir))


def test_a_moved_directory_is_resumed(finished, stopped, again):
    """Nothing is there under the name that the run knew."""
    old = Path(stopped.work_dir)
    hidden = old.rename(old.with_name('hidden'))
    try:
        runner = tiny.train(again)
        assert not old.exists()
    finally:
        hidden.rename(old)
    assert Path(runner._load_from) == Path(again.work_dir) / 'epoch_5.pth'
    _ends_as(Path(finished[1].work_dir), Path(again.work_dir))
