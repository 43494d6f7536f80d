"""Weights of the terms by teacher; test_pmd.py has what they do."""

import pytest

TERMS = ('base', 'psd', 'dare', 'clfa')


@pytest.mark.parametrize('term', TERMS)
@pytest.mark.parametrize(
    'weights, message',
    [
        (dict(image=1.0), r"lacks 'video'"),
        (dict(), r"lacks 'image'"),
        (dict(img=1.0, video=1.0), r"unknown key 'img'; it takes image, video"),
        (
            dict(image=1.0, video=-1.0),
            r'loss_weight\.vid is -1.0; it must be a number',
        ),
        (dict(image=None, video=1.0), r'loss_weight\.img is None'),
    ],
)
def test_lambdas_name_every_teacher_and_no_other(make_recognizer, term, weights, message):
    kind = dict(type='CLFATerm') if term == 'clfa' else {}
    with pytest.raises((TypeError, ValueError), match=message):
        make_recognizer(**{term: dict(kind, loss_weight=weights)})


@pytest.mark.parametrize('term', TERMS)
def test_lambdas_of_a_teacher_that_is_not_there_are_refused(make_recognizer, term):
    kind = dict(type='CLFATerm') if term == 'clfa' else {}
    weights = dict(image=1.0, video=1.0)
    with pytest.raises(TypeError, match="unknown key 'image'; it takes video"):
        make_recognizer(image_teacher=None, **{term: dict(kind, loss_weight=weights)})
    make_recognizer(image_teacher=None, **{term: dict(kind, loss_weight=dict(video=2.0))})
