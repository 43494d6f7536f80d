import os
import random
from types import SimpleNamespace

import pytest
import torch

from pmd_mmaction.hooks.checkpoints.checkpoint_files import (
    claim_checkpoint,
    file_damage,
    list_checkpoints,
    newest_complete,
    note_beginning,
    note_checkpoint,
    remove_unfinished,
    require_training_state,
)


def _save(path, value=0.0):
    torch.save(dict(state_dict=dict(a=torch.full((1000,), value)), meta=dict(epoch=1)), path)


def _names(directory):
    return [path.name for path in list_checkpoints(directory)]


def test_the_order_counts_epochs_then_iterations(tmp_path):
    names = [
        'epoch_10.pth',
        'epoch_9_iter_31.pth',
        'epoch_9_iter_4.pth',
        'epoch_9.pth',
        'iter_7.pth',
    ]
    for name in [*sorted(names), 'best_acc_epoch_11.pth', 'phase_1_student.pth']:
        _save(tmp_path / name)
    assert _names(tmp_path) == names


def test_what_comes_after_the_noted_one_is_of_another_attempt(tmp_path):
    for epoch in (1, 2, 3):
        _save(tmp_path / f'epoch_{epoch}.pth')
    note_checkpoint(tmp_path, tmp_path / 'epoch_2.pth')
    assert _names(tmp_path) == ['epoch_2.pth', 'epoch_1.pth']


def test_a_note_without_its_checkpoint_leads_to_the_one_before(tmp_path):
    note_checkpoint(tmp_path, tmp_path / 'epoch_1.pth')
    assert _names(tmp_path) == []
    _save(tmp_path / 'epoch_1.pth')
    note_checkpoint(tmp_path, tmp_path / 'epoch_2.pth')
    assert _names(tmp_path) == ['epoch_1.pth']


@pytest.mark.parametrize('earlier', ['epoch_3.pth', 'epoch_10.pth'])
def test_a_run_that_began_in_another_directory_goes_on_from_there(tmp_path, earlier):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
    _save(tmp_path / 'a' / earlier)  # of an attempt that was given up
    for epoch in (4, 5, 6):
        _save(tmp_path / 'b' / f'epoch_{epoch}.pth')
    note_beginning(tmp_path / 'a', tmp_path / 'b' / 'epoch_5.pth')
    there = [tmp_path / 'b' / 'epoch_5.pth', tmp_path / 'b' / 'epoch_4.pth']
    assert [path.resolve() for path in list_checkpoints(tmp_path / 'a')] == there
    own = tmp_path / 'a' / 'epoch_7.pth'
    note_checkpoint(tmp_path / 'a', own)  # killed while it writes its first one
    assert [path.resolve() for path in list_checkpoints(tmp_path / 'a')] == there
    _save(own)
    assert [path.resolve() for path in list_checkpoints(tmp_path / 'a')] == [own, *there]
    note_beginning(tmp_path / 'a', None)
    assert tmp_path / 'b' / 'epoch_5.pth' not in list_checkpoints(tmp_path / 'a')


def test_files_of_an_attempt_that_was_given_up_are_never_taken(tmp_path):
    """Not even where this one noted the same name and could not write it (a full disk)."""
    for name in (*(f'epoch_{n}.pth' for n in range(20, 24)), 'epoch_23_iter_5000.pth'):
        _save(tmp_path / name)
    note_beginning(tmp_path, tmp_path / 'epoch_20.pth')
    note_checkpoint(tmp_path, tmp_path / 'epoch_21.pth')
    assert _names(tmp_path) == ['epoch_20.pth']
    for name in ('epoch_21.pth', 'epoch_22.pth'):
        note_checkpoint(tmp_path, tmp_path / name)
        claim_checkpoint(tmp_path, name)
    note_checkpoint(tmp_path, tmp_path / 'epoch_24.pth')
    assert _names(tmp_path) == ['epoch_22.pth', 'epoch_21.pth', 'epoch_20.pth']


def test_own_checkpoints_may_have_smaller_numbers(tmp_path):
    """Iterations are counted in larger batches now."""
    _save(tmp_path / 'iter_9380.pth')
    note_beginning(tmp_path, tmp_path / 'iter_9380.pth')
    for name in ('iter_5000.pth', 'iter_6000.pth'):
        note_checkpoint(tmp_path, _save(tmp_path / name) or tmp_path / name)
        claim_checkpoint(tmp_path, name)
    assert _names(tmp_path) == ['iter_6000.pth', 'iter_5000.pth', 'iter_9380.pth']


@pytest.mark.parametrize('missing', ['optimizer', 'param_schedulers', 'epoch'])
def test_weights_alone_are_no_start_for_a_resumed_run(missing):
    content = dict(meta=dict(epoch=1, iter=3), optimizer={}, param_schedulers=[])
    runner = SimpleNamespace(_load_from='best_acc.pth', param_schedulers=[object()])
    require_training_state(content, runner)
    (content['meta'] if missing == 'epoch' else content).pop(missing)
    with pytest.raises(ValueError, match=f'best_acc.pth has no {missing}: it holds weights only'):
        require_training_state(content, runner)
    if missing == 'param_schedulers':  # a run without schedulers
        require_training_state(content, SimpleNamespace(param_schedulers=[]))


def test_a_moved_directory(tmp_path):
    for out in ('run', 'elsewhere'):
        old = tmp_path / 'a' / out
        old.mkdir(parents=True)
        _save(old / 'epoch_1.pth')
    note_checkpoint(tmp_path / 'a' / 'run', tmp_path / 'a' / 'elsewhere' / 'epoch_1.pth')
    (tmp_path / 'a' / 'run' / 'epoch_1.pth').unlink()
    (tmp_path / 'a').rename(tmp_path / 'b')
    found = list_checkpoints(tmp_path / 'b' / 'run')
    assert [path.resolve() for path in found] == [tmp_path / 'b' / 'elsewhere' / 'epoch_1.pth']


@pytest.mark.parametrize('note', [b'', b'\0' * 9, b'\xff\xfe', b'gone/epoch_9.pth', b'\n'])
def test_a_note_of_no_use(tmp_path, note):
    for epoch in (1, 2):
        _save(tmp_path / f'epoch_{epoch}.pth')
    (tmp_path / 'last_checkpoint').write_bytes(note)
    assert _names(tmp_path) == ['epoch_2.pth', 'epoch_1.pth']


def test_a_checkpoint_on_no_disk_is_no_start_from_scratch(tmp_path):
    """As MMEngine's own hook notes it."""
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/run/epoch_3.pth')
    with pytest.raises(ValueError, match='names s3://bucket/run/epoch_3.pth, which is on no disk'):
        newest_complete(tmp_path, print)


def test_a_directory_whose_name_is_no_utf8(tmp_path):
    elsewhere = tmp_path / os.fsdecode(b'caf\xe9')
    (tmp_path / 'run').mkdir()
    elsewhere.mkdir()
    _save(elsewhere / 'epoch_1.pth')
    note_checkpoint(tmp_path / 'run', elsewhere / 'epoch_1.pth')
    assert [path.resolve() for path in list_checkpoints(tmp_path / 'run')] == [
        elsewhere / 'epoch_1.pth'
    ]


@pytest.mark.parametrize('share', [0, 0.3, 0.99])
def test_a_cut_file_is_passed_over(tmp_path, share):
    for epoch in (1, 2):
        _save(tmp_path / f'epoch_{epoch}.pth')
    content = (tmp_path / 'epoch_2.pth').read_bytes()
    (tmp_path / 'epoch_2.pth').write_bytes(content[: int(share * len(content))])
    warnings = []
    assert newest_complete(tmp_path, warnings.append) == tmp_path / 'epoch_1.pth'
    assert len(warnings) == 1 and 'epoch_2.pth is not used' in warnings[0]


def test_a_flipped_bit_is_seen_or_does_not_matter(tmp_path):
    path, draw = tmp_path / 'epoch_1.pth', random.Random(0)
    _save(path, 0.5)
    content = path.read_bytes()
    seen = 0
    for _ in range(300):
        changed = bytearray(content)
        changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        if file_damage(path):
            seen += 1
        else:
            assert torch.equal(torch.load(path)['state_dict']['a'], torch.full((1000,), 0.5))
    assert seen > 200  # the tensor alone is two thirds of the file


def test_only_damaged_ones_are_refused(tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'no archive')
    with pytest.raises(ValueError, match=r'none of the 1 checkpoint.*move them away'):
        newest_complete(tmp_path, lambda text: None)


def test_unfinished_files_go(tmp_path):
    for name in ('epoch_1.pth.tmp', 'difficulty_epoch_1_iter_3.table.tmp', 'a.tmp', 'epoch_1.pth'):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.tmp', 'epoch_1.pth']
