"""Operations of a training step."""

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from pmd_mmaction.functional import Phase
from pmd_mmaction.models.operations import (
    build_without_weights,
    count_operations,
    iteration_gflops,
)
from pmd_mmaction.teacher_configs import leave_out_files

ROOT = Path(__file__).parents[2]


def test_parts_of_a_step(mmaction_scope):
    """A step is its parts, the trained ones three times; a view saves what it leaves out."""
    cfg = Config.fromfile(ROOT / 'configs' / 'amd' / 'vit-tiny_demo_pretrain.py').model
    costs = {}
    for view in ('teacher', None):
        cfg.teachers.vid.view = view
        model = build_without_weights(cfg)
        costs[view] = iteration_gflops(model, Phase(0, 0.9, 0, 1))
    assert costs['teacher']['vid teacher'] < costs[None]['vid teacher'] / 3
    parts = costs['teacher']
    trained = parts['encoder'] + parts['decoders'] + parts["terms' layers"]
    assert parts['step'] == pytest.approx(parts['vid teacher'] + 3 * trained)
    assert parts['pixel teacher'] == 0 and parts["terms' layers"] > 0


@pytest.mark.parametrize(('aux_mask', 'ratio'), [('same', 0.75), ('nested', 0.5)])
def test_the_auxiliary_teacher_is_a_pass_of_the_student_at_its_own_ratio(
    mmaction_scope, aux_mask, ratio
):
    cfg = Config.fromfile(ROOT / 'configs' / 'pmd' / 'vit-tiny_demo_pretrain.py').model
    cfg.psd.aux_mask = aux_mask
    model = build_without_weights(cfg)
    found = iteration_gflops(model, Phase(1, 0.75, 0, 1), 0.5)
    passes = iteration_gflops(model, Phase(0, ratio, 0, 1))
    assert found['auxiliary teacher'] == pytest.approx(passes['encoder'] + passes['decoders'])
    assert passes['auxiliary teacher'] == 0 and model.auxiliary_teacher is None
    only = iteration_gflops(model, Phase(1, 0.75, 0, 1))['step']
    assert found['step'] == pytest.approx(only + found['auxiliary teacher'])


def test_a_model_with_numbers_is_counted_alike(mmaction_scope):
    """The view that student and auxiliary teacher share stays one view on any device."""
    cfg = Config.fromfile(ROOT / 'configs' / 'pmd' / 'vit-tiny_demo_pretrain.py').model
    cfg.views = dict(decode=dict(type='RunningCellMasker', mask_ratio=0.5))
    leave_out_files(cfg)
    found = iteration_gflops(MODELS.build(cfg), Phase(1, 0.75, 0, 1), 0.75)
    assert found == iteration_gflops(build_without_weights(cfg), Phase(1, 0.75, 0, 1), 0.75)


def test_phases_count_what_came_before(mmaction_scope):
    """A run that goes on from ``prev_student`` has an auxiliary teacher in its first phase."""
    cfg = Config.fromfile(ROOT / 'configs' / 'pmd' / 'vit-tiny_demo_pretrain.py').model
    phases = [Phase(0, 0.75, 0, 1), Phase(1, 0.75, 1, 2)]
    model = build_without_weights(cfg)
    first, second = model.step_gflops(cfg, phases)
    assert first < second == pytest.approx(model.step_gflops(cfg, phases, 0.5)[0])


def test_a_linear_layer_is_counted_by_hand():
    layer = torch.nn.Linear(5, 7)
    found = count_operations(lambda: layer(torch.zeros(3, 5)))
    assert found == 2 * 3 * 5 * 7
