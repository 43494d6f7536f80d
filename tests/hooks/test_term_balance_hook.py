"""Gradients of each term on the encoder: against loops, and without a trace in the training."""

import math
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from pmd_mmaction.hooks import TermBalanceHook
from pmd_mmaction.hooks.term_balance_hook import Pull, term_pulls
from pmd_mmaction.hooks.unwrapped_model import plain_model
from tests.integration import tiny

BALANCE = dict(type='TermBalanceHook', interval=2, clips=3)


@OPTIM_WRAPPERS.register_module(force=True)
class HalfOptimWrapper(OptimWrapper):
    """What ``AmpOptimWrapper`` is on a GPU, on the CPU."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def _losses(net):
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    shared = net[0](x)
    # the layer after the first one is not in the graph of the last term
    return dict(
        other=net[1](shared).square().mean(), base=net[1](shared).sum(), early=7 * shared.sum()
    )


@pytest.mark.parametrize('scale', [None, torch.tensor(1024.0)])
def test_pulls_are_those_of_one_backward_pass_per_term(scale):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    expected = {}
    for name in ('base', 'other', 'early'):
        net.zero_grad()
        _losses(net)[name].backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters()]
        expected[name] = torch.cat([g.flatten() for g in gradients]).double()
    net.zero_grad()
    pulls = term_pulls(_losses(net), list(net.parameters()), scale)
    assert list(pulls) == ['base', 'other', 'early']
    assert all(p.grad is None for p in net.parameters())
    for name, gradient in expected.items():
        cosine = torch.cosine_similarity(gradient, expected['base'], dim=0).item()
        assert pulls[name].norm == pytest.approx(gradient.norm().item(), rel=1e-5)
        assert pulls[name].cosine == pytest.approx(cosine, rel=1e-4, abs=1e-6)


def test_a_frozen_encoder_is_not_measured(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, BALANCE, ratios=(0.5,), epochs=2)
    cfg.model.backbone.frozen = True
    runner = tiny.train(cfg)
    assert not any('term_norm' in key for key in runner.message_hub.log_scalars)


def test_a_term_without_gradient_pulls_with_0():
    weight = nn.Parameter(torch.ones(2))
    pulls = term_pulls(dict(df=weight.sum(), pg=torch.zeros(())), [weight])
    assert pulls['df'] == pytest.approx(Pull(math.sqrt(2), 1))
    assert pulls['pg'].norm == 0 and math.isnan(pulls['pg'].cosine)


def _train(clips, work_dir, *hooks, **changes):
    runner = tiny.build(tiny.tiny_config(clips, work_dir, *hooks, dict(type='Watch'), **changes))
    logged, warnings = [], []
    runner.visualizer.add_scalars = lambda values, step=0, **_: logged.append((step, values))
    runner.logger.warning = lambda text, *rest: warnings.append(text)
    tiny.finish(runner)
    measured = [(s, v) for s, v in logged if any(key.startswith('term_') for key in v)]
    return runner, measured, [text for text in warnings if 'pulls' in text]


def test_the_training_does_not_notice(clips, tmp_path):
    plain, nothing, _ = _train(clips, tmp_path / 'plain', ratios=(0.5, 0.8), epochs=2)
    weighed, measured, _ = _train(clips, tmp_path / 'weighed', BALANCE, ratios=(0.5, 0.8), epochs=2)
    assert not nothing and [step for step, _ in measured] == [0, 2, 4, 6, 8, 10]
    assert tiny.same(plain.model.state_dict(), weighed.model.state_dict())
    steps = [tiny.hook_of(runner, tiny.Watch).steps for runner in (plain, weighed)]
    assert steps[0] == steps[1]
    assert (tiny.table_of(plain) == tiny.table_of(weighed)).all()


def test_the_first_measurement_is_that_of_the_initialisation(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dict(BALANCE, clips=tiny.BATCH), ratios=(0.5,))
    cfg.model.backbone.drop_path_rate = 0
    runner = tiny.build(cfg)
    logged, expected = [], {}
    runner.visualizer.add_scalars = lambda values, step=0, **_: logged.append(values)

    def note(batch_idx, data_batch=None):
        model = plain_model(runner)
        losses = model(**model.data_preprocessor(data_batch, True), mode='loss')
        model.pop_patch_losses()
        for name in model.terms:
            if name != 'pg':
                model.zero_grad()
                total = sum(v for k, v in losses.items() if k.startswith(f'loss_{name}_'))
                total.backward(retain_graph=True)
                grads = [
                    p.grad.flatten() for p in model.backbone.parameters() if p.grad is not None
                ]
                expected[name] = torch.cat(grads).norm().item()
        model.zero_grad()

    hook = tiny.hook_of(runner, TermBalanceHook)
    original = hook.before_train_iter

    def first(runner, batch_idx, data_batch=None):
        if runner.iter == 0:
            note(batch_idx, data_batch)
        original(runner, batch_idx, data_batch)

    hook.before_train_iter = first
    tiny.finish(runner)
    found = next(values for values in logged if 'term_norm_base' in values)
    assert found['term_norm_pg'] == 0 and 'term_cosine_pg' not in found
    for name, norm in expected.items():
        assert found[f'term_norm_{name}'] == pytest.approx(norm, rel=1e-4)
    assert not any('loss' in key for key in found)


def test_it_warns_when_a_term_drowns_base_and_names_the_switch(clips, tmp_path):
    heavy = dict(type='CLFATerm', loss_weight=100.0)
    _, measured, warnings = _train(clips, tmp_path, BALANCE, ratios=(0.5,), model__clfa=heavy)
    assert len(measured) == 5 and len(warnings) == 1  # not once more while it stays
    assert 'term al pulls' in warnings[0]
    assert "student_norm='layer_norm'" in warnings[0] and 'loss_weight' in warnings[0]


def test_a_method_without_base_is_logged_and_not_warned_of():
    logged, warnings = {}, []
    runner = SimpleNamespace(
        iter=0,
        visualizer=SimpleNamespace(add_scalars=lambda values, step: logged.update(values)),
        logger=SimpleNamespace(info=lambda text: None, warning=warnings.append),
    )
    pulls = dict(pixel=Pull(1, 1), align=Pull(800, 0.3))
    TermBalanceHook()._report(runner, SimpleNamespace(terms={}), pulls)
    assert logged == dict(term_norm_pixel=1, term_norm_align=800, term_cosine_align=0.3)
    assert not warnings


def test_one_term_is_not_compared(clips, tmp_path):
    off = dict(model__psd=None, model__dare=None, model__clfa=None)
    assert _train(clips, tmp_path, BALANCE, ratios=(0.5,), **off)[1] == []


def test_bfloat16_changes_little(clips, tmp_path):
    # Behind a layer norm, which takes out most of it, more of CLFA's small cosine is rounding.
    letter = dict(model__clfa__student_norm='none', model__clfa__fc_std=None)
    amp = dict(type='HalfOptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
    found = [
        _train(clips, tmp_path / name, BALANCE, ratios=(0.5,), **letter, **changes)[1][0][1]
        for name, changes in dict(full={}, amp=dict(optim_wrapper=amp)).items()
    ]
    for key, value in found[0].items():
        assert found[1][key] == pytest.approx(value, rel=0.05, abs=0.02)
