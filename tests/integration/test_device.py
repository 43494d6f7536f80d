"""The forward pass on a GPU that is not there, and compiled.

Under `FakeTensorMode` tensors have a device and a shape, but no content. Mixing devices and reading
a value raise an error, so what finishes neither forgot to move a tensor nor waits for the device.
Autocast on a machine without a GPU needs PyTorch to be told that there is one.
"""

import itertools
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pmd_mmaction.dare import TableLayout, infinite_rows, pack_rows
from pmd_mmaction.functional import Phase, patch_loss
from pmd_mmaction.models.terms import History, base
from tests.integration import tiny

ON = dict(base=dict(), psd=dict(), dare=dict(), clfa=dict(type='CLFATerm'))
MASKED = dict(type='CLFATerm', align_tokens='masked')
PRODUCT = dict(
    psd=(None, dict(), dict(aux_mask='nested')),
    dare=(None, dict(weighting=False), dict()),
    clfa=(None, dict(type='CLFATerm'), MASKED),
)
SINGLE = [
    dict(masker=dict(type='CubeMasker')),
    dict(masker=dict(type='RunningCellMasker')),
    dict(base=None),
    dict(base=dict(distance='smooth_l1', channel_reduction='sum')),
    dict(dare=dict(difficulty_scale='paper'), clfa=dict(type='CLFATerm', channel_reduction='sum')),
    dict(image_teacher=None),
    dict(video_teacher=None),
    dict(image_teacher=dict(normalization='timm', target_norm='none')),
    dict(backbone=dict(position='learnable', activation_checkpointing=True)),
    dict(backbone=dict(position='sinusoid_1d'), decoder=dict(position='sinusoid_1d')),
]
PRECISIONS = [torch.float16, torch.bfloat16]


def _build(**changes):
    """A model with an auxiliary teacher, in its second phase."""
    init_default_scope('mmaction')
    cfg = tiny.tiny_config(tiny.Path('clips'), tiny.Path('work')).model.to_dict() | ON
    for key, change in changes.items():
        merge = isinstance(change, dict) and key in ('image_teacher', 'backbone', 'decoder')
        cfg[key] = {**cfg[key], **change} if merge else change
    if changes.get('image_teacher'):
        mean = cfg['image_teacher']['data_mean'] = [1.0, 2.0, 3.0]
        cfg['data_preprocessor'] = {**cfg['data_preprocessor'], 'mean': mean}
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    model.set_phase(Phase(1, 0.75, 3, 6), 0.5)
    if model.needs_auxiliary_teacher:
        model.promote_student()
    model.seed_masks(0)
    return model


# ---------------------------------------------------------------------- a fake GPU


class FakeGenerator:
    """Stands in for a generator on a GPU, which cannot be made here."""

    def __init__(self, device):
        self.device = device

    def manual_seed(self, seed):
        return self


class NoCopyToHost(TorchDispatchMode):
    """Refuses `.cpu()`, which `FakeTensorMode` would allow."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        devices = [
            {x.device.type for x in tree_leaves(side) if isinstance(x, torch.Tensor)}
            for side in ((args, kwargs), result)
        ]
        assert not ('cuda' in devices[0] and 'cpu' in devices[1]), f'{func} copies to the host'
        return result


def _without_generator(function):
    return lambda *args, generator=None, **kwargs: function(*args, **kwargs)


@contextmanager
def _gpu(dtype=None):
    """A GPU; with a dtype, in mixed precision."""
    with ExitStack() as stack:
        if dtype is not None:
            missing = 'torch.cuda.amp.common.amp_definitely_not_available'
            stack.enter_context(mock.patch(missing, lambda: False))
            stack.enter_context(mock.patch('torch.cuda.is_bf16_supported', lambda: True))
            stack.enter_context(torch.autocast('cuda', dtype))
        for name in ('rand', 'randint'):
            function = _without_generator(getattr(torch, name))
            stack.enter_context(mock.patch(f'torch.{name}', function))
        stack.enter_context(mock.patch('torch.Generator', FakeGenerator))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=False))
        stack.enter_context(NoCopyToHost())
        yield


def _move(model):
    """What `model.cuda()` would move is moved."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        return model._apply(lambda t: torch.empty(t.shape, dtype=t.dtype, device='cuda'))
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)


class Zeros:
    """A difficulty source on the host."""

    by_place = False

    def __init__(self, teachers, uniform):
        self.teachers, self.uniform = teachers, uniform

    def read(self, sample_idx):
        last = torch.zeros(len(sample_idx), self.teachers, tiny.PATCHES)
        return last, None if self.uniform else last


class Sample(SimpleNamespace):
    def __contains__(self, name):
        return hasattr(self, name)


def _loss(model, uniform=False, dtype=None):
    with _gpu(dtype):
        model = _move(model.train())
        model.attach_difficulty(Zeros(len(model.teachers), uniform))
        clips = torch.empty(2, 1, 3, 4, 32, 32, device='cuda')
        losses = model.loss(clips, [Sample(sample_idx=i) for i in range(2)])
    assert {value.device.type for value in losses.values()} == {'cuda'}
    assert {value.dtype for value in losses.values()} == {torch.float32}
    return losses


@pytest.mark.parametrize('switches', list(itertools.product(*PRODUCT.values())))
def test_the_loss_stays_on_the_device(switches):
    model = _build(**dict(zip(PRODUCT, switches)))
    on = [name for name, switch in zip(('pg', 'df', 'al'), switches) if switch is not None]
    assert _loss(model).keys() == {f'loss_{t}_{k}' for t in ['base', *on] for k in ('img', 'vid')}


@pytest.mark.parametrize('changes', SINGLE, ids=[str(i) for i in range(len(SINGLE))])
def test_the_loss_stays_on_the_device_with_other_parts(changes):
    _loss(_build(**changes))


def test_the_loss_stays_on_the_device_in_the_first_stage():
    _loss(_build(), uniform=True)


def _products(model):
    """Of each part: the dtypes that its linear layers give in the next forward passes."""
    parts = {'student': model} | {name: teacher.network for name, teacher in model.teachers.items()}
    if model.auxiliary_teacher:
        parts['auxiliary'] = model.auxiliary_teacher.network
    found = {name: set() for name in parts}
    for name, part in parts.items():
        for module in part.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(
                    lambda m, args, out, name=name: found[name].add(out.dtype)
                )
    return found


@pytest.mark.parametrize('dtype', PRECISIONS)
@pytest.mark.parametrize('switches', list(itertools.product(*PRODUCT.values()))[8::9])
def test_the_loss_stays_on_the_device_in_mixed_precision(switches, dtype):
    model = _build(**dict(zip(PRODUCT, switches)))
    products = _products(model)
    _loss(model, dtype=dtype)
    assert all(dtypes == {dtype} for dtypes in products.values()), products


@pytest.mark.parametrize('changes', SINGLE, ids=[str(i) for i in range(len(SINGLE))])
def test_the_loss_stays_on_the_device_in_mixed_precision_with_other_parts(changes):
    for dtype in PRECISIONS:
        _loss(_build(**changes), dtype=dtype)


@pytest.mark.parametrize('dtype', [None, *PRECISIONS])
def test_features_stay_on_the_device(dtype):
    model = _build()
    with _gpu(dtype):
        model = _move(model.eval())
        clips = torch.empty(2, 3, 3, 4, 32, 32, device='cuda')
        features, _ = model.extract_feat(clips)
        layers = model.backbone.encode(clips.flatten(0, 1), layers=range(2)).layers
    assert features.shape == (2, 48)
    assert {x.device.type for x in (features, *layers)} == {'cuda'}


class CountCopies(TorchDispatchMode):
    """Notes what goes from the host to the GPU."""

    def __init__(self):
        super().__init__()
        self.sent = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func._opname in ('_to_copy', 'copy_') and result.device.type == 'cuda':
            source = args[1] if func._opname == 'copy_' else args[0]
            if source.device.type == 'cpu':
                self.sent.append((tuple(result.shape), result.dtype, kwargs.get('non_blocking')))
        return result


@pytest.mark.parametrize('stacked', [True, False])
@pytest.mark.parametrize('name', ['pmd_vit-b', 'pmd_vit-tiny', 'mae_vit-tiny'])
def test_the_clips_of_a_batch_go_to_the_device_in_one_copy(name, stacked):
    init_default_scope('mmaction')
    cfg = Config.fromfile(tiny.CONFIGS / '_base_' / 'models' / f'{name}.py').model
    preprocessor = MODELS.build(cfg.data_preprocessor)
    with _gpu(), CountCopies() as copies:
        _move(preprocessor)._device = torch.device('cuda')
        clips = torch.empty(3, 1, 3, 4, 32, 32, dtype=torch.uint8)
        samples = [ActionDataSample(gt_label=torch.zeros(1)) for _ in range(3)]
        data = dict(inputs=clips if stacked else [*clips], data_samples=samples)
        copies.sent.clear()
        batch = preprocessor(data, training=True)['inputs']
    assert (batch.device.type, batch.dtype) == ('cuda', torch.float32)
    assert copies.sent == [((3, 1, 3, 4, 32, 32), torch.uint8, True)]


def test_rows_of_the_difficulty_table_are_packed_on_the_device():
    layout = TableLayout(5, 2, tiny.PATCHES)
    with _gpu():
        masked = torch.zeros(3, 8, dtype=torch.int64, device='cuda')
        rows = pack_rows(masked, torch.empty(3, 2, 8, device='cuda'), layout)
        infinite = infinite_rows(rows)
    assert (rows.device.type, rows.dtype) == ('cuda', torch.float16)
    assert (infinite.device.type, infinite.shape) == ('cuda', (3,))


# What must be noticed.


def test_a_tensor_left_on_the_host_is_noticed():
    model = _build()
    positions = model.decoders['img'].positions
    del model.decoders['img'].positions
    model.decoders['img'].__dict__['positions'] = positions
    with pytest.raises((AssertionError, RuntimeError), match='(?i)fake|cpu|device'):
        _loss(model)


@pytest.mark.parametrize('read', [lambda x: x.item(), lambda x: bool(x > 0), torch.nonzero])
def test_a_value_that_is_read_is_noticed(monkeypatch, read):
    def masked_mean(loss, counted=None):
        read(loss.mean())
        return loss.mean()

    monkeypatch.setattr(base, 'masked_mean', masked_mean)
    errors = (DataDependentOutputException, RuntimeError)
    with pytest.raises(errors, match='(?i)aten|data.dependent|dynamic'):
        _loss(_build())


def test_a_copy_to_the_host_is_noticed(monkeypatch):
    monkeypatch.setattr(
        base, 'masked_mean', lambda x, counted=None: patch_loss.masked_mean(x.cpu()).cuda()
    )
    with pytest.raises(AssertionError, match='copies to the host'):
        _loss(_build())


# ---------------------------------------------------------------------- compiled


def _distilled(model, distill):
    """Losses, smoothed losses and gradients of one iteration."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(2, 3, 4, 32, 32, generator=generator)
    history = torch.rand(2, len(model.teachers), tiny.PATCHES, generator=generator)
    model.zero_grad()
    losses, smoothed, _ = distill(clips, model.draw_views(clips), History(history, history / 2))
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return losses, smoothed, gradients


def _compiles(backend, **changes):
    model = _build(**changes).train()
    model.backbone.eval()  # no drop path, whose randomness compiled code draws otherwise
    eager = _distilled(model, model.distill)
    torch._dynamo.reset()
    compiled = _distilled(model, torch.compile(model.distill, fullgraph=True, backend=backend))
    torch.testing.assert_close(compiled, eager, rtol=1e-4, atol=1e-6)
    assert eager[2]


@pytest.mark.parametrize('backend', ['eager', 'aot_eager'])
def test_one_graph_gives_the_same(backend):
    _compiles(backend)


def test_one_graph_with_other_parts_gives_the_same():
    _compiles('eager', psd=dict(aux_mask='nested'), clfa=MASKED)


@pytest.mark.slow
def test_generated_code_gives_the_same():
    _compiles('inductor')


def test_a_broken_graph_is_noticed(monkeypatch):
    monkeypatch.setattr(base, 'masked_mean', lambda x, counted=None: x.mean() if x.max() > 0 else 0)
    with pytest.raises(torch._dynamo.exc.TorchDynamoException):
        _compiles('eager')
