import pytest

from pmd_mmaction.convert.layers import check_pairs, read_layers


def test_number_and_names():
    keys = ['a.0.x', 'a.0.y.z', 'a.1.x', 'a.1.y.z', 'norm', 'b.a.2.x']
    assert read_layers(keys, 'a.') == (2, {'x', 'y.z'})


@pytest.mark.parametrize(
    'keys, message',
    [
        ([], r'its layers are \[\]'),
        (['a.0.x', 'a.2.x'], r'its layers are \[0, 2\], not all of 0 ... 1'),
        (['a.0.x', 'a.0.y', 'a.1.x'], r"layer 1 is not complete: missing \['y'\]"),
        (['a.0.x', 'a.1.x', 'a.1.y'], r"layer 0 is not complete: missing \['y'\]"),
    ],
)
def test_what_is_lost_is_named(keys, message):
    with pytest.raises(ValueError, match=message):
        read_layers(keys, 'a.')


@pytest.mark.parametrize('lost', ['norm.weight', 'norm.bias'])
def test_half_of_a_pair_is_refused(lost):
    keys = ['norm.weight', 'norm.bias', 'head.weight']
    check_pairs(keys, ['norm', 'fc_norm'])
    with pytest.raises(ValueError, match=f'it lacks {lost}'):
        check_pairs([key for key in keys if key != lost], ['norm', 'fc_norm'])
