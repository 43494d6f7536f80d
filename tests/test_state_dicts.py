import pytest
import torch

from pmd_mmaction.state_dicts import weight_differences

OWN = {'a.x': torch.ones(2), 'a.y': torch.ones(3), 'b.z': torch.ones(1)}


def test_what_fits_gives_nothing():
    assert weight_differences(OWN, dict(OWN), ignored=()) == ''


@pytest.mark.parametrize(
    'found, options, expected',
    [
        ({'a.x': torch.ones(2), 'a.y': torch.ones(3)}, {}, "missing ['b.z']"),
        ({'a.x': torch.ones(2), 'a.y': torch.ones(3)}, dict(optional=['b.']), ''),
        (OWN | {'c.w': torch.ones(1)}, {}, ''),
        (OWN | {'c.w': torch.ones(1)}, dict(ignored=['d.']), "unexpected ['c.w']"),
        (OWN | {'c.w': torch.ones(1)}, dict(ignored=['c.']), ''),
        (
            {'a.x': torch.ones(4), 'a.y': torch.ones(3), 'c.w': torch.ones(1)},
            dict(ignored=()),
            "missing ['b.z']; unexpected ['c.w']; "
            "wrong shapes ['a.x: (4,) in the file, (2,) in the model']",
        ),
    ],
)
def test_what_does_not_fit_is_named(found, options, expected):
    assert weight_differences(OWN, found, **options) == expected


def test_five_of_each_kind_are_named():
    own = {f'k{i}': torch.ones(1) for i in range(7)}
    assert weight_differences(own, {}) == "missing ['k0', 'k1', 'k2', 'k3', 'k4'] ..."
