"""The table against plain Python loops in double precision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pmd_mmaction.dare import DifficultyTable
from pmd_mmaction.dare.table import CHUNK_BYTES
from tests.dare.writing import write

VIDEOS, TEACHERS, PATCHES = 5, 2, 8
NEVER_MASKED = PATCHES - 1


class Oracle:
    """The definition, one cell at a time."""

    def __init__(self):
        self.current, self.stage = {}, {}

    def write(self, clips):
        """Clips are (video, {(teacher, patch): value}); copies of a video are averaged."""
        found = {}
        for video, values in clips:
            for (teacher, patch), value in values.items():
                found.setdefault((video, teacher, patch), []).append(value)
        for cell, values in found.items():
            self.current[cell] = math.fsum(values) / len(values)

    def end_stage(self):
        self.stage = dict(self.current)

    def reset(self):
        self.current, self.stage = {}, {}

    @staticmethod
    def array(cells):
        array = np.zeros((VIDEOS, TEACHERS, PATCHES))
        for cell, value in cells.items():
            array[cell] = value
        return array


def batch_of(clips):
    """Oracle clips, all with the same number of masked patches, as arguments of `write`."""
    videos = [video for video, _ in clips]
    masked = [sorted({patch for _, patch in values}) for _, values in clips]
    smoothed = [
        [[values[teacher, patch] for patch in patches] for teacher in range(TEACHERS)]
        for (_, values), patches in zip(clips, masked)
    ]
    return videos, torch.tensor(masked), torch.tensor(smoothed, dtype=torch.float64)


def random_clip(rng, video, masked_count):
    """A clip with a random mask that spares NEVER_MASKED and random losses of order one."""
    patches = rng.choice(NEVER_MASKED, masked_count, replace=False)
    return video, {(t, int(p)): rng.gamma(2.0) for t in range(TEACHERS) for p in patches}


def smooth(clips, last, alpha):
    """The moving average, applied to the losses of some clips, `last` giving the older values."""
    return [
        (video, {(t, p): alpha * x + (1 - alpha) * last(i, video, t, p) for (t, p), x in v.items()})
        for i, (video, v) in enumerate(clips)
    ]


@pytest.mark.parametrize(('dtype', 'rtol'), [('float32', 1e-6), ('float16', 2e-3)])
@pytest.mark.parametrize('alpha', [0.95, 0.3])
def test_a_run_of_several_phases_agrees_with_the_definition(dtype, rtol, alpha):
    rng = np.random.default_rng(0)
    table = DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES, dtype)
    oracle = Oracle()
    for masked_count, stages in ((3, (3, 1)), (5, (3, 3, 2))):  # a phase: its ratio, its stages
        for epochs in stages:
            for _ in range(epochs):
                order = [*rng.permutation(VIDEOS), 2, 2]  # video 2 has three copies per epoch
                clips = [random_clip(rng, int(video), masked_count) for video in order]
                last, stage = table.read([video for video, _ in clips])
                expected = oracle.array(oracle.stage)[[video for video, _ in clips]]
                np.testing.assert_allclose(stage, expected, rtol=rtol)
                ours = smooth(clips, lambda i, v, t, p, last=last: last[i, t, p].item(), alpha)
                write(table, *batch_of(ours))
                oracle.write(
                    smooth(clips, lambda i, v, t, p: oracle.current.get((v, t, p), 0.0), alpha)
                )
                np.testing.assert_allclose(
                    table.current, oracle.array(oracle.current), rtol=rtol, atol=0
                )
            table.end_stage()
            oracle.end_stage()
        assert not table.current[..., NEVER_MASKED].any()
        assert np.count_nonzero(table.current) > 0.7 * VIDEOS * TEACHERS * NEVER_MASKED
        table.reset()
        oracle.reset()
        assert not table.current.any() and not table.stage.any()


def test_read_gives_float32_rows_in_the_order_asked_for():
    table = DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES)
    write(table, [1], torch.tensor([[3]]), torch.tensor([[[0.5], [0.25]]]))
    table.end_stage()
    write(table, [1], torch.tensor([[3]]), torch.tensor([[[2.0], [4.0]]]))
    last, stage = table.read([0, 1, 1])
    assert last.dtype == stage.dtype == torch.float32
    assert last.shape == stage.shape == (3, TEACHERS, PATCHES)
    assert last[:, :, 3].tolist() == [[0, 0], [2, 4], [2, 4]]
    assert stage[:, :, 3].tolist() == [[0, 0], [0.5, 0.25], [0.5, 0.25]]
    last.fill_(9)  # a copy: the table is not changed through it
    assert table.current.max() == 4


def test_float32_table_keeps_every_bit():
    table = DifficultyTable.create(None, 3, 1, 4, 'float32')
    values = torch.rand(2, 1, 4, generator=torch.manual_seed(0))
    write(table, torch.tensor([2, 0]), torch.arange(4).expand(2, 4), values)
    assert torch.equal(table.read([2, 0])[0], values)
    assert not table.current[1].any()


def test_copies_count_only_where_they_were_masked():
    table = DifficultyTable.create(None, VIDEOS, 1, 4, 'float32')
    write(table, [3], torch.tensor([[0, 3]]), torch.tensor([[[7.0, 7.0]]]))
    write(
        table,
        [3, 1, 3],
        torch.tensor([[0, 1], [0, 1], [1, 2]]),
        torch.tensor([[[1, 2]], [[5, 6]], [[4, 8.0]]]),
    )
    assert table.current[3, 0].tolist() == [1, 3, 8, 7]
    assert table.current[1, 0].tolist() == [5, 6, 0, 0]


@st.composite
def batches(draw):
    """Clips of any videos, with repetition, equally many patches masked in each."""
    count = draw(st.integers(1, PATCHES))
    losses = st.floats(0, 1000, width=32)
    clips = []
    for _ in range(draw(st.integers(1, 6))):
        patches = draw(st.permutations(range(PATCHES)))[:count]
        values = {(t, p): draw(losses) for t in range(TEACHERS) for p in patches}
        clips.append((draw(st.integers(0, VIDEOS - 1)), values))
    return clips


@settings(max_examples=60, deadline=None)
@given(first=batches(), second=batches(), data=st.data())
def test_write_does_not_depend_on_order_or_repetition(first, second, data):
    table, other = (
        DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES, 'float32') for _ in 'ab'
    )
    oracle = Oracle()
    for clips in (first, second):
        write(table, *batch_of(clips))
        oracle.write(clips)
        for _ in range(2):
            write(other, *batch_of(data.draw(st.permutations(clips))))
    np.testing.assert_allclose(other.current, table.current, rtol=1e-6, atol=0)
    np.testing.assert_allclose(table.current, oracle.array(oracle.current), rtol=1e-6, atol=1e-44)


def test_an_empty_batch_is_fine():
    table = DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES)
    write(table, [], torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, TEACHERS, 3))
    assert table.read([])[0].shape == (0, TEACHERS, PATCHES)
    assert not table.current.any()


def test_losses_beyond_float16_become_its_limit():
    table = DifficultyTable.create(None, 1, 1, 3)
    write(table, [0], torch.tensor([[0, 1, 2]]), torch.tensor([[[1e6, 65519.9, 3.0]]]))
    assert table.current[0, 0].tolist() == [65504, 65504, 3]


def test_size_and_format():
    table = DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES)
    assert table.shape == (VIDEOS, TEACHERS, PATCHES)
    assert table.dtype == np.float16
    assert table.nbytes == 2 * VIDEOS * TEACHERS * PATCHES * 2
    assert DifficultyTable.create(None, 1, 1, 1, 'float32').nbytes == 8
    with pytest.raises(ValueError, match='read-only'):
        table.current[0] = 1


def test_a_table_of_several_chunks_turns_over_as_a_whole():
    """Stage ends and resets pass through the memory in chunks of 16 MiB."""
    table = DifficultyTable.create(None, 2_800, 2, 1_568, 'float16')
    assert table.nbytes // 2 > CHUNK_BYTES
    every = torch.arange(1_568).expand(2_800, -1)
    losses = (torch.arange(2_800) % 97 + 1.0)[:, None, None].expand(-1, 2, 1_568)
    write(table, range(2_800), every, losses)
    table.end_stage()
    np.testing.assert_array_equal(table.stage, losses.numpy())
    np.testing.assert_array_equal(table.current, losses.numpy())
    table.reset()
    assert not table.current.any() and not table.stage.any()
