"""Recognizers have what the protocols name where every Python looks for it."""

import inspect

from pmd_mmaction import contracts

MODELS = (
    contracts.MaskedModel,
    contracts.PhasedModel,
    contracts.DifficultyModel,
    contracts.DiagnosableModel,
    contracts.WeighableModel,
    contracts.CountableModel,
    contracts.PicturedModel,
)


def test_no_member_is_a_submodule(make_recognizer):
    """From 3.12 on isinstance() looks with getattr_static, which misses submodules."""
    model = make_recognizer()
    model.promote_student()  # the auxiliary teacher is None before
    absent = object()
    for protocol in MODELS:
        assert isinstance(model, protocol)
        members = {name for name in vars(protocol) if not name.startswith('_')}
        for name in members | set(vars(protocol).get('__annotations__', ())):
            assert inspect.getattr_static(model, name, absent) is not absent, (protocol, name)
