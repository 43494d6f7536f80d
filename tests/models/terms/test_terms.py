"""Settings of the terms."""

import pytest

from pmd_mmaction.models.terms import BaseTerm, DARETerm, PSDTerm


def test_the_defaults_are_those_of_the_paper():
    assert [term().loss_weight for term in (BaseTerm, PSDTerm, DARETerm)] == [1, 0.05, 1]
    assert (DARETerm().alpha, DARETerm().tau) == (0.95, 0.5)


def test_alpha_1_is_no_smoothing_and_allowed():
    assert DARETerm(alpha=1).alpha == 1


@pytest.mark.parametrize(
    'term, options, message',
    [
        (BaseTerm, dict(loss_weight=-1), 'BaseTerm: loss_weight is -1'),
        (BaseTerm, dict(loss_weight=float('nan')), 'BaseTerm: loss_weight is nan'),
        (BaseTerm, dict(distance='l1'), "distance is 'l1'"),
        (BaseTerm, dict(channel_reduction='max'), "channel_reduction is 'max'"),
        (PSDTerm, dict(loss_weight=-1), 'PSDTerm: loss_weight is -1'),
        (PSDTerm, dict(aux_mask='other'), "aux_mask is 'other'"),
        (DARETerm, dict(loss_weight=-1), 'DARETerm: loss_weight is -1'),
        (DARETerm, dict(alpha=0), 'DARETerm: alpha is 0'),
        (DARETerm, dict(alpha=1.1), r'DARETerm: alpha is 1\.1'),
        (DARETerm, dict(tau=0), 'DARETerm: tau is 0'),
        (DARETerm, dict(difficulty_scale='big'), "difficulty_scale is 'big'"),
    ],
)
def test_impossible_settings_are_named(term, options, message):
    with pytest.raises(ValueError, match=message):
        term(**options)
