"""Nothing in training can touch a teacher."""

import copy

import pytest
import torch
from mmcv.cnn.bricks import DropPath
from torch import nn

from pmd_mmaction.models import (
    FeatureDecoder,
    MaskedVisionTransformer,
    TimmImageTeacher,
    VideoMAETeacher,
)
from pmd_mmaction.models.teachers import AuxiliaryTeacher, LayerGroup


@pytest.fixture(params=['image', 'video', 'auxiliary'])
def teacher(request, sizes):
    if request.param == 'image':
        return TimmImageTeacher(**sizes.image_teacher)
    if request.param == 'video':
        teacher = VideoMAETeacher(**sizes.video_teacher)
        for block in teacher.network.blocks:  # so that a forward pass in train mode would show
            block.drop_path = DropPath(0.5).eval()
        return teacher
    return AuxiliaryTeacher(
        MaskedVisionTransformer(**sizes.student, drop_path_rate=0.5), nn.ModuleDict()
    )


@pytest.fixture
def decoding_teacher(teacher, sizes):
    """A teacher with random weights; the auxiliary one has a decoder."""
    if isinstance(teacher, AuxiliaryTeacher):
        student = teacher.network['backbone']
        decoder = FeatureDecoder(student.embed_dims, 24, student.token_grid)
        return AuxiliaryTeacher(student, nn.ModuleDict(dict(img=decoder)))
    return teacher


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
    """Its weights, not their device and dtype."""
    model = nn.Sequential(teacher)
    copied = copy.deepcopy(model)
    for mine, its in zip(teacher.network.parameters(), copied[0].network.parameters()):
        assert mine is not its and mine.data_ptr() == its.data_ptr() and not its.requires_grad
    copied.double()
    assert {p.dtype for p in copied[0].network.parameters()} == {torch.float64}
    assert {p.dtype for p in teacher.network.parameters()} == {torch.float32}
    assert not copied.train()[0].network.training


def test_targets_carry_no_gradient(sizes, random_clips):
    teacher = VideoMAETeacher(**sizes.video_teacher)
    output = teacher(random_clips().requires_grad_(), [LayerGroup(range(1, 2))])
    assert not output.features.requires_grad
    assert not output.groups[0].mean.requires_grad


def test_a_teacher_in_double_precision_works(sizes, random_clips):
    teacher = nn.Sequential(TimmImageTeacher(**sizes.image_teacher)).double()[0]
    assert teacher(random_clips().double()).features.dtype == torch.float64


# --- a precision of its own ---

LOW = ['bfloat16', 'float16']


def _outputs(teacher, clips):
    """All tensors that a teacher gives for 8 visible patches of 32."""
    index = torch.arange(32).expand(len(clips), -1)
    if isinstance(teacher, AuxiliaryTeacher):
        return list(teacher(clips, index[:, :8], index[:, 8:]).values())
    wanted = [LayerGroup(layers, index[:, :8]) for layers in (range(1, 2), range(2, 3))]
    features, groups = teacher(clips, wanted)
    return [features, *(tensor for group in groups for tensor in group)]


@pytest.mark.parametrize('dtype', LOW)
def test_weights_cast_once_give_what_autocast_gives(decoding_teacher, random_clips, dtype):
    with torch.autocast('cpu', getattr(torch, dtype)):
        expected = _outputs(decoding_teacher, random_clips())
    decoding_teacher.compute_in(dtype)
    torch.testing.assert_close(_outputs(decoding_teacher, random_clips()), expected, rtol=0, atol=0)
    other = next(x for x in LOW if x != dtype)
    with torch.autocast('cpu', getattr(torch, other)):
        inside = _outputs(decoding_teacher, random_clips())
    torch.testing.assert_close(inside, expected, rtol=0, atol=0)


def test_weights_of_matrix_products_are_kept_in_the_low_precision(decoding_teacher):
    decoding_teacher.compute_in('bfloat16')
    kept = {name: p.dtype for name, p in decoding_teacher.network.named_parameters()}
    matrices = {
        name for name in kept if name.endswith(('qkv.weight', 'fc1.weight', '.proj.weight'))
    }
    assert matrices and {kept[name] for name in matrices} == {torch.bfloat16}
    norms = {name for name in kept if 'norm' in name}
    assert norms and {kept[name] for name in norms} == {torch.float32}


def test_the_auxiliary_teacher_is_a_copy(sizes):
    backbone = MaskedVisionTransformer(**sizes.student)
    teacher = AuxiliaryTeacher(backbone, nn.ModuleDict())
    nn.init.zeros_(backbone.patch_embed.projection.weight)
    assert teacher.network['backbone'].patch_embed.projection.weight.abs().sum() > 0
    assert all(p.requires_grad for p in backbone.parameters())
    assert backbone.training
