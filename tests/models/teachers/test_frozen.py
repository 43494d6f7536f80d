"""Nothing in training can touch a teacher."""

import copy

import pytest
import torch
from torch import nn

from pmd_mmaction.models import MaskedVisionTransformer, TimmImageTeacher, VideoMAETeacher
from pmd_mmaction.models.teachers import AuxiliaryTeacher


@pytest.fixture(params=['image', 'video', 'auxiliary'])
def teacher(request, sizes):
    if request.param == 'image':
        return TimmImageTeacher(**sizes.image_teacher)
    if request.param == 'video':
        return VideoMAETeacher(**sizes.video_teacher, drop_path_rate=0.5)
    return AuxiliaryTeacher(
        MaskedVisionTransformer(**sizes.student, drop_path_rate=0.5), nn.ModuleDict()
    )


def test_it_has_no_parameters_and_no_state(teacher):
    assert list(teacher.parameters()) == []
    assert teacher.state_dict() == {}
    assert not any(p.requires_grad for p in teacher.network.parameters())


def test_train_leaves_the_network_in_eval_mode(teacher):
    nn.Sequential(teacher).train()
    assert not any(module.training for module in teacher.network.modules())


def test_it_moves_with_the_model(teacher):
    nn.Sequential(teacher).to(torch.float64)
    assert {p.dtype for p in teacher.network.parameters()} == {torch.float64}


def test_a_copied_model_shares_it(teacher):
    model = nn.Sequential(teacher)
    assert copy.deepcopy(model)[0] is teacher


def test_targets_carry_no_gradient(sizes, random_clips):
    teacher = VideoMAETeacher(**sizes.video_teacher)
    output = teacher(random_clips().requires_grad_(), (range(1, 2),))
    assert not output.features.requires_grad
    assert not output.groups[0].mean.requires_grad


def test_a_teacher_in_double_precision_works(sizes, random_clips):
    teacher = nn.Sequential(TimmImageTeacher(**sizes.image_teacher)).double()[0]
    assert teacher(random_clips().double()).features.dtype == torch.float64


def test_the_auxiliary_teacher_is_a_copy(sizes):
    backbone = MaskedVisionTransformer(**sizes.student)
    teacher = AuxiliaryTeacher(backbone, nn.ModuleDict())
    nn.init.zeros_(backbone.patch_embed.projection.weight)
    assert teacher.network['backbone'].patch_embed.projection.weight.abs().sum() > 0
    assert all(p.requires_grad for p in backbone.parameters())
    assert backbone.training
