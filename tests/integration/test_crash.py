"""A run that is killed and resumed ends bit for bit as the run that was not."""

import functools
import os
from pathlib import Path

import pytest
from mmengine.runner import Runner

from pmd_mmaction.hooks.checkpoints.atomic_backend import AtomicLocalBackend
from pmd_mmaction.models import PMDRecognizer
from pmd_mmaction.storage import atomic_file
from tests.integration import processes, tiny


def _train(
    clips: Path, work_dir: Path, workers: tuple[int, bool], resume: bool, interval: int = 1
) -> None:
    num_workers, persistent = workers
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        train_dataloader__num_workers=num_workers,
        train_dataloader__persistent_workers=persistent,
        default_hooks__checkpoint__interval=interval,
    )
    tiny.train(tiny.resumed(cfg) if resume else cfg)


def _train_and_die(moment: str, *args) -> None:
    DEATHS[moment]()
    _train(*args, False)


def _train_and_die_after_a_phase(*args) -> None:
    _in_an_epoch(11)  # the second iteration of epoch 4
    _train(*args, False, 2)


def _in_an_epoch(last: int = 14) -> None:
    """Dies in this iteration."""
    train_step = PMDRecognizer.train_step
    calls = []

    @functools.wraps(train_step)
    def step(*args, **kwargs):
        calls.append(None)
        if len(calls) == last:
            tiny.die()
        return train_step(*args, **kwargs)

    PMDRecognizer.train_step = step


def _in_a_checkpoint(share: float) -> None:
    """Dies when a share of the file is written; with 0 before there is a file."""
    put = AtomicLocalBackend.put

    def half(self, content, path):
        if not str(path).endswith('epoch_5.pth'):
            return put(self, content, path)
        if share:
            with atomic_file.atomic_writer(path) as file:
                file.write(content[: int(share * len(content))])
                file.flush()
                tiny.die()
        tiny.die()

    AtomicLocalBackend.put = half


def _before_old_ones_are_removed() -> None:
    save_checkpoint = Runner.save_checkpoint

    def save(self, out_dir, filename, *args, **kwargs):
        save_checkpoint(self, out_dir, filename, *args, **kwargs)
        if filename == 'epoch_5.pth':
            tiny.die()

    Runner.save_checkpoint = save


def _before_a_rename(name: str) -> None:
    """Dies with the whole content in the temporary file."""
    replace = os.replace

    def rename(source, target):
        if Path(target).name == name:
            tiny.die()
        replace(source, target)

    atomic_file.os = type('os', (), dict(vars(os), replace=staticmethod(rename)))


def _before_the_promotion() -> None:
    PMDRecognizer.promote_student = lambda self, state_dict=None: tiny.die()


DEATHS = {
    'mid-epoch': _in_an_epoch,
    'table written, no checkpoint': lambda: _in_a_checkpoint(0),
    'half a checkpoint': lambda: _in_a_checkpoint(0.5),
    'checkpoint not renamed': lambda: _before_a_rename('epoch_5.pth'),
    'old checkpoint not removed': _before_old_ones_are_removed,
    'table not renamed': lambda: _before_a_rename('difficulty_epoch_5_iter_15.table'),
    'phase file not renamed': lambda: _before_a_rename('phase_1_student.pth'),
    'phase file written, no promotion': _before_the_promotion,
}
# What lies there after the death, to be sure that it came at the moment that was meant.
LEFT = {
    'mid-epoch': ('epoch_4.pth', 'difficulty_epoch_4_iter_12.table'),
    'table written, no checkpoint': ('difficulty_epoch_5_iter_15.table', 'epoch_4.pth'),
    'half a checkpoint': ('epoch_5.pth.tmp', 'difficulty_epoch_5_iter_15.table', 'epoch_4.pth'),
    'checkpoint not renamed': ('epoch_5.pth.tmp', 'epoch_4.pth'),
    'old checkpoint not removed': ('epoch_5.pth', 'epoch_4.pth', 'epoch_3.pth'),
    'table not renamed': ('difficulty_epoch_5_iter_15.table.tmp', 'epoch_4.pth'),
    'phase file not renamed': ('phase_1_student.pth.tmp', 'epoch_3.pth'),
    'phase file written, no promotion': ('phase_1_student.pth', 'epoch_3.pth'),
}


def _ends_as(whole: Path, work_dir: Path) -> None:
    expected, found = (tiny.read_checkpoint(d / 'epoch_9.pth') for d in (whole, work_dir))
    for key in ('state_dict', 'optimizer', 'param_schedulers', 'pmd', 'dare'):
        assert tiny.same(expected[key], found[key]), key
    for name in (
        expected['dare']['file'],
        'phase_1_student.pth',
        'phase_2_student.pth',
        'phase_3_student.pth',
    ):
        assert (whole / name).read_bytes() == (work_dir / name).read_bytes(), name
    table = tiny.read_table(whole / expected['dare']['file'])
    assert table[0].any() and table[1].any()


@pytest.mark.parametrize('moment', DEATHS)
def test_killed_and_resumed(finished, clips, tmp_path, moment):
    args = clips, tmp_path / 'run', (0, False)
    processes.run_until_killed(_train_and_die, tmp_path / 'log', moment, *args)
    left = {path.name for path in (tmp_path / 'run').iterdir()}
    assert left.issuperset(LEFT[moment]) and 'epoch_6.pth' not in left
    assert ('phase_1_student.pth' in left) == (moment != 'phase file not renamed')
    processes.run(_train, tmp_path / 'log', *args, True)
    _ends_as(Path(finished[1].work_dir), tmp_path / 'run')
    assert not list((tmp_path / 'run').glob('*.tmp'))


@pytest.mark.parametrize('workers', [(1, False), (2, True)], ids=['1 worker', '2 persistent'])
def test_killed_and_resumed_with_workers(finished, clips, tmp_path, workers):
    """The end is even that of a run without workers."""
    args = clips, tmp_path / 'run', workers
    processes.run_until_killed(_train_and_die, tmp_path / 'log', 'mid-epoch', *args)
    processes.run(_train, tmp_path / 'log', *args, True)
    _ends_as(Path(finished[1].work_dir), tmp_path / 'run')


def test_killed_with_the_end_of_a_phase_after_the_last_checkpoint(finished, clips, tmp_path):
    """Checkpoints every 2 epochs, phases of 3: the student of phase 1 is written again."""
    args = clips, tmp_path / 'run', (0, False)
    processes.run_until_killed(_train_and_die_after_a_phase, tmp_path / 'log', *args)
    left = {path.name for path in (tmp_path / 'run').iterdir()}
    assert {'epoch_2.pth', 'phase_1_student.pth'} <= left
    assert not {'epoch_3.pth', 'epoch_4.pth'} & left
    processes.run(_train, tmp_path / 'log', *args, True, 2)
    _ends_as(Path(finished[1].work_dir), tmp_path / 'run')


def test_another_seed_ends_otherwise(finished, clips, tmp_path):
    """The comparison above can fail."""
    tiny.train(tiny.tiny_config(clips, tmp_path, randomness__seed=1))
    with pytest.raises(AssertionError):
        _ends_as(Path(finished[1].work_dir), tmp_path)
