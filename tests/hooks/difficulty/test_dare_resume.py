"""The difficulty table of a resumed run: found, checked, refused."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.hooks.tables import table_path
from tests.integration import tiny
from tests.integration.refusals import refused


@pytest.fixture
def again(run, tmp_path):
    """The run's config in a copy of its directory, to be resumed at epoch 3."""
    cfg = copy.deepcopy(run)
    shutil.copytree(run.work_dir, tmp_path / 'copy')
    cfg.work_dir = str(tmp_path / 'copy')
    return tiny.resumed(cfg, tmp_path / 'copy' / 'epoch_3.pth')


def test_the_copy_resumes(again, run):
    """Without it the refusals below would prove nothing."""
    tiny.train(again)
    last = tiny.read_table(table_path(again, 4))
    np.testing.assert_array_equal(last, tiny.read_table(table_path(run, 4)))
    assert last.any()


def test_the_table_of_the_checkpoint_is_taken_not_that_of_the_work_dir(again, tmp_path):
    other = tmp_path / 'elsewhere'
    shutil.copytree(again.work_dir, other)
    table_path(again).write_bytes(b'another run')
    again.load_from = str(other / 'epoch_3.pth')
    tiny.train(again)


def test_another_number_of_videos_is_refused(again, tmp_path):
    path = tmp_path / 'more.txt'
    path.write_text(Path(again.train_dataloader.dataset.ann_file).read_text() + 'val/00000.mp4 0')
    again.train_dataloader.dataset.ann_file = str(path)
    refused(again, '12 samples, the data set has 13 now: resume with the same data set')


@pytest.mark.parametrize('change', ['order', 'name'])
def test_other_videos_are_refused(again, tmp_path, change):
    path = tmp_path / 'other.txt'
    lines = Path(again.train_dataloader.dataset.ann_file).read_text().splitlines()
    lines = lines[::-1] if change == 'order' else [*lines[:-1], lines[0]]
    path.write_text('\n'.join(lines))
    again.train_dataloader.dataset.ann_file = str(path)
    refused(again, 'belongs to the data set.*same annotation file, in the same order')


def test_a_moved_data_set_is_accepted(again, tmp_path):
    dataset = again.train_dataloader.dataset
    shutil.copytree(dataset.data_prefix.video, tmp_path / 'moved')
    dataset.data_prefix.video = str(tmp_path / 'moved')
    dataset.ann_file = str(tmp_path / 'moved' / 'train.txt')
    tiny.train(again)


def test_a_damaged_table_is_refused(again):
    content = bytearray(table_path(again).read_bytes())
    content[-100] ^= 1
    table_path(again).write_bytes(content)
    refused(again, 'damaged: resume from an earlier checkpoint')


def test_a_shortened_table_is_refused(again):
    table_path(again).write_bytes(table_path(again).read_bytes()[:-1])
    refused(again, 'bytes instead of.*damaged')


def test_the_table_of_another_checkpoint_is_refused(again):
    shutil.copy(table_path(again, 4), table_path(again))
    refused(again, 'the checkpoint names.*put the table that was saved with this checkpoint')


def test_another_dtype_is_refused(again):
    again.custom_hooks[2].dtype = 'float16'
    refused(again, "holds float32 values, this run keeps float16: set the table's dtype")


def test_a_missing_table_is_refused(again, run):
    table_path(again).unlink()
    hidden = table_path(run).rename(table_path(run).with_suffix('.hidden'))
    try:
        refused(again, 'in none of.*copy it next to the checkpoint')
    finally:
        hidden.rename(table_path(run))


def test_a_table_left_where_the_checkpoint_was_written_is_found(again):
    table_path(again).unlink()
    tiny.train(again)


def test_a_checkpoint_without_dare_is_refused(again):
    content = tiny.read_checkpoint(again.load_from)
    del content['dare']
    torch.save(content, again.load_from)
    refused(again, 'has no difficulty table.*leave it out of the model')


def test_weights_alone_start_with_an_empty_table(again):
    again.resume = False
    table_path(again).unlink()
    again.train_cfg.max_epochs = 1
    again.custom_hooks[1].phases = [dict(mask_ratio=0.5, epochs=1)]
    again.custom_hooks[2].stage_epochs = 1
    again.param_scheduler = None
    tiny.train(again)
