"""Pairs of layers against a plain loop (test_amd_golden.py has AMD's own numbers)."""

import pytest
import torch
from mmaction.registry import MODELS

PAIRS = [(2, 0), (5, 2)]


@pytest.fixture
def make(sizes, mmaction_scope, randomize):
    """Builds a student with one teacher; options are those of the term."""

    def build(view='wide', num_masks=1, wide=0.5, **options):
        options.setdefault('generator', dict(depth=2, num_heads=2))
        model = MODELS.build(
            dict(
                type='MaskedDistillation',
                backbone=dict(
                    type='MaskedVisionTransformer', use_mean_pooling=False, **sizes.student
                ),
                masker=dict(type='TubeMasker'),
                views=dict(wide=dict(mask_ratio=wide)),
                teachers=dict(
                    vid=dict(
                        type='VideoMAETeacher',
                        view=view,
                        target_norm='none',
                        last_norm=False,
                        **sizes.video_teacher,
                    )
                ),
                terms=[dict(type='LayerPairTerm', pairs=PAIRS, **options)],
                mask_ratio=0.75,
                num_masks=num_masks,
            )
        )
        randomize(model.teachers['vid'].network, 1, std=0.2)
        return randomize(model)

    return build


@pytest.mark.parametrize('view, num_masks', [('wide', 1), ('wide', 2), (None, 2)])
def test_losses_equal_the_loop(make, random_clips, view, num_masks):
    model, clips = make(view, num_masks, loss_weight=2.0, generation_weight=3.0), random_clips()
    model.seed_masks(0)
    losses = model.loss(clips[:, None], [])
    assert set(losses) == {'loss_align_direct_vid', 'loss_align_generation_vid'}
    model.seed_masks(0)
    views = model.draw_views(clips)
    visible = views['student'].visible
    rows = torch.arange(2).repeat_interleave(num_masks)
    seen = views['wide'].visible if view else torch.arange(32).expand(len(rows), -1)
    student = list(model.backbone.iter_layers(clips, visible))
    teacher = list(model.teachers['vid'].network.iter_layers(clips[rows], seen))
    term, direct, generation = model.terms['align'], [], []
    for k, (s, t) in enumerate(PAIRS):
        projected = student[s] @ term.projections['vid'][k].weight.T
        generator = term.generators['vid'][k]
        for r in range(len(rows)):
            known, taught = visible[r].tolist(), dict(zip(seen[r].tolist(), teacher[t][r]))
            beyond = [patch for patch in taught if patch not in known]
            direct += [(projected[r, i] - taught[p]).square().mean() for i, p in enumerate(known)]
            x = torch.cat(
                [
                    projected[r] + generator.positions[0, known],
                    generator.mask_token[0] + generator.positions[0, beyond],
                ]
            )[None]
            for block in generator.blocks:
                x = block(x)
            made = x[0, len(known) :]
            generation += [(made[i] - taught[p]).square().mean() for i, p in enumerate(beyond)]
    expected = 2 * torch.stack(direct).mean(), 6 * torch.stack(generation).mean()
    torch.testing.assert_close(losses['loss_align_direct_vid'], expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        losses['loss_align_generation_vid'], expected[1], rtol=1e-4, atol=1e-4
    )
    sum(losses.values()).backward()
    used = dict(model.named_parameters())
    unused = {name for name, p in used.items() if p.grad is None}
    assert unused == {'backbone.norm.weight', 'backbone.norm.bias'}  # no pixels here


def test_the_diagnosis_knows_the_last_generated_layer(make, random_clips):
    model, clips = make(), random_clips()
    model.seed_masks(0)
    model.diagnose_next(True)
    model.loss(clips[:, None], [])
    found = model.pop_diagnosis().explained
    model.seed_masks(0)
    views = model.draw_views(clips)
    (visible, _), seen = views['student'], views['wide'].visible
    step, term = model.observe(clips, views), model.terms['align']
    taught = dict(zip(('patch', 'feature'), (seen, step.groups['align']['vid'][-1].mean)))
    beyond = ~(seen[:, :, None] == visible[:, None]).any(-1)
    truth = taught['feature'][beyond].unflatten(0, (len(clips), -1))
    projected = term.projections['vid'][-1](step.layers[PAIRS[-1][0]])
    places = taught['patch'][beyond].view(len(clips), -1)
    made = term.generators['vid'][-1](projected, visible, places)
    error, variance = (made - truth).square().mean(), (truth - truth.mean((0, 1))).square().mean()
    assert list(found) == ['explained_vid']
    torch.testing.assert_close(found['explained_vid'], 1 - error / variance)


def test_direct_alignment_alone(make, random_clips):
    model = make(generator=None)
    assert set(model.loss(random_clips()[:, None], [])) == {'loss_align_direct_vid'}
    assert not any('generators' in key for key in model.state_dict())


def test_nothing_to_generate_is_refused(make, random_clips):
    model = make(wide=0.75)
    with pytest.raises(ValueError, match='vid sees no more than the student'):
        model.loss(random_clips()[:, None], [])


def test_a_layer_that_is_not_there_is_refused(make, monkeypatch):
    monkeypatch.setitem(globals(), 'PAIRS', [(6, 0)])
    with pytest.raises(ValueError, match=r'LayerPairTerm reads layers \[6\] of the student'):
        make()
    monkeypatch.setitem(globals(), 'PAIRS', [(0, 3)])
    with pytest.raises(ValueError, match=r'reads layers \[3\] of the teacher vid'):
        make()
