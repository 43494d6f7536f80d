"""Patches of moving objects against loops and against numbers of SMILE's own code."""

import json
import math
import re

import numpy as np
import pytest
import torch

from pmd_mmaction.functional import object_ranks, object_tokens
from tests.every import every
from tests.models.recognizers.golden import FOLDER

GOLDEN = np.load(FOLDER / 'smile_motion.npz')
NOTES = json.loads(bytes(GOLDEN['meta_json']))
CASES = sorted({m[1] for key in GOLDEN if (m := re.fullmatch(r'(mask_.+)\.object_tokens', key))})
GRID, FRAME = (8, 14, 14), (224, 224)


def tensor(case, name):
    return torch.from_numpy(GOLDEN[f'{case}.{name}'])


@pytest.mark.parametrize('case', CASES)
def test_object_tokens_of_the_recorded_boxes(case):
    found = object_tokens(tensor(case, 'boxes')[None], GRID, FRAME)
    assert torch.equal(found[0], tensor(case, 'object_tokens'))


def test_object_tokens_equal_the_loop():
    grid, frame, tubelet = (2, 3, 5), (12, 40), 2
    rng = np.random.RandomState(0)
    corners = rng.randint(-10, 45, (6, 2, 4, 2))
    boxes = np.concatenate([corners, corners + rng.randint(1, 20, corners.shape)], -1)
    found = object_tokens(torch.from_numpy(boxes), grid, frame)
    for b, row in enumerate(found.unflatten(1, grid)):
        for t, y, x in np.ndindex(grid):
            inside = False
            for own in boxes[b]:
                part = own[t * tubelet : (t + 1) * tubelet]
                x1, y1, x2, y2 = *part[:, :2].min(0), *part[:, 2:].max(0)
                inside |= max(math.floor(x1 / 8), 0) <= x < min(math.ceil(x2 / 8) + 1, 5) and max(
                    math.floor(y1 / 4), 0
                ) <= y < min(math.ceil(y2 / 4) + 1, 3)
            assert row[t, y, x] == inside


def masked(case, seed):
    """The mask of our ranks, with the recorded tube mask."""
    patches = math.prod(GRID)
    visible = patches - int(tensor(case, 'mask').sum())
    noise = torch.rand(1, patches, generator=torch.Generator().manual_seed(seed))
    tokens, tube = tensor(case, 'object_tokens')[None], tensor(case, 'tube_mask')[None]
    noise = torch.where(tokens, noise, (tube + noise) / 2)  # what the tubes show comes first
    order = object_ranks(tokens, noise, 0.1).argsort(1)
    return torch.ones(1, patches, dtype=torch.bool).scatter(1, order[:, :visible], False)[0]


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('seed', [0, 1])
def test_the_mask_has_the_properties_of_smiles(case, seed):
    mask, notes = masked(case, seed), NOTES[case]
    tokens, tube = tensor(case, 'object_tokens'), tensor(case, 'tube_mask')
    assert mask.sum() == tensor(case, 'mask').sum() == notes['total_masked']
    found = dict(
        object_tokens_visible=(tokens & ~mask).sum(),
        tube_masked_non_object_made_visible=(~tokens & tube & ~mask).sum(),
        tube_visible_non_object_made_masked=(~tokens & ~tube & mask).sum(),
    )
    assert {key: int(count) for key, count in found.items()} == {key: notes[key] for key in found}


def test_which_object_tokens_are_kept_is_random():
    # where no patches of objects are shown besides, to reach the number
    cases = [c for c in CASES if NOTES[c]['object_tokens_visible'] == NOTES[c]['ten_percent']]
    case = max(cases, key=lambda case: NOTES[case]['object_tokens'])
    tokens = tensor(case, 'object_tokens')
    first, second = (masked(case, seed)[tokens] for seed in (0, 1))
    assert first.sum() == second.sum() and not torch.equal(first, second)


@pytest.mark.parametrize('objects', ['all', 'none'])
@pytest.mark.parametrize('visible', [1, 2, 8, 39])
def test_the_number_is_exact_where_smiles_code_fails(objects, visible):
    tokens = torch.full((3, 40), objects == 'all')
    generator = torch.Generator().manual_seed(0)
    ranks = object_ranks(tokens, torch.rand(3, 40, generator=generator), 0.1)
    assert (ranks >= 0).all() and (ranks < 3).all()
    assert (ranks.argsort(1).argsort(1) < visible).sum(1).tolist() == [visible] * 3


@every('count', range(41))
def test_the_kept_share_is_rounded_down_as_python_does(count):
    tokens = (torch.arange(40) < count)[None]
    ranks = object_ranks(tokens, torch.rand(1, 40), 0.1)
    assert (ranks < 1).sum() == int(0.1 * count)
