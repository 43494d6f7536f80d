"""The words with which arguments are refused."""

import numpy as np
import pytest

from pmd_mmaction import arguments


@pytest.mark.parametrize('value', [0, -1, 2.0, '3', None, True, [1], float('nan')])
def test_no_whole_number(value):
    with pytest.raises(
        ValueError, match=r'^Part: depth is .*; it must be a whole number, at least 1$'
    ):
        arguments.require_whole('Part', depth=value)


def test_whole_numbers():
    arguments.require_whole('Part', depth=1, width=np.int64(3))
    arguments.require_whole('Part', 0, depth=0)
    with pytest.raises(ValueError, match='^Part: width is 0'):
        arguments.require_whole('Part', depth=1, width=0)


@pytest.mark.parametrize(
    'bounds, right, wrong, words',
    [
        (dict(), -1e9, 'x', 'a number'),
        (dict(above=0), 1e-9, 0, 'a number above 0'),
        (dict(at_least=0), 0, -1e-9, 'a number at least 0'),
        (dict(below=1), 0.999, 1, 'a number below 1'),
        (dict(at_most=1), np.float32(1), 1.001, 'a number at most 1'),
        (dict(above=0, at_most=1), 1, 0.0, 'a number above 0 and at most 1'),
        (dict(above=0, at_most=1), 0.1, 2, 'a number above 0 and at most 1'),
    ],
)
def test_numbers_within_bounds(bounds, right, wrong, words):
    arguments.require_number('Part', **bounds, x=right)
    with pytest.raises(ValueError) as error:
        arguments.require_number('Part', **bounds, x=wrong)
    assert str(error.value) == f'Part: x is {wrong!r}; it must be {words}'


@pytest.mark.parametrize('value', [float('nan'), float('inf'), '0.5', None, True, [0.5]])
def test_no_number(value):
    with pytest.raises(ValueError, match='^Part: tau is .*; it must be a number at least 0$'):
        arguments.require_number('Part', at_least=0, tau=value)


@pytest.mark.parametrize('value', ['True', 1, 0, None])
def test_no_flag(value):
    arguments.require_flag('Part', a=True, b=False)
    with pytest.raises(ValueError, match=r'^Part: b is .*; it must be True or False$'):
        arguments.require_flag('Part', a=True, b=value)


@pytest.mark.parametrize('value', ['c', None, ['a'], ['a', 'b']])
def test_not_one_of(value):
    arguments.require_one_of('Part', ('a', None), x='a', y=None)
    with pytest.raises(ValueError, match=r"it must be one of \('a', 'b'\)$"):
        arguments.require_one_of('Part', ('a', 'b'), x=value)


@pytest.mark.parametrize('value', ['', None, 3, ['a']])
def test_no_text(value):
    arguments.require_text('Part', name='vit')
    with pytest.raises(ValueError, match='^Part: name is .*; it must be a non-empty string$'):
        arguments.require_text('Part', name=value)


@pytest.mark.parametrize('value', [None, 'TubeMasker', {}, dict(cell=2)])
def test_no_config(value):
    arguments.require_config('Part', masker=dict(type='TubeMasker'))
    with pytest.raises(
        ValueError, match=r"^Part: masker is .*; it must be dict\(type='...', ...\)$"
    ):
        arguments.require_config('Part', masker=value)


@pytest.mark.parametrize(
    'value, message',
    [
        (True, 'Part: psd is True; it must be a dict of b, a'),
        (dict(a=1, c=2), "Part: psd has an unknown key 'c'; it takes b, a"),
        (dict(b=1), "Part: psd is {'b': 1}; it lacks 'a'"),
    ],
)
def test_wrong_keys(value, message):
    arguments.require_keys('Part', ('b', 'a'), ('a',), psd=dict(a=1))
    with pytest.raises(TypeError) as error:
        arguments.require_keys('Part', ('b', 'a'), ('a',), psd=value)
    assert str(error.value) == message


@pytest.mark.parametrize(
    'sizes, message',
    [
        (
            dict(height=32, width=30, patch_size=16),
            '^Part: width=30 is not a multiple of patch_size=16$',
        ),
        (
            dict(height=32, patch_size=0),
            '^Part: patch_size is 0; it must be a whole number, at least 1$',
        ),
        (dict(height=32.0, patch_size=16), '^Part: height is 32.0; it must be a whole number'),
    ],
)
def test_sizes_that_do_not_divide(sizes, message):
    arguments.require_divisible('Part', height=32, width=48, patch_size=16)
    with pytest.raises(ValueError, match=message):
        arguments.require_divisible('Part', **sizes)


def test_a_component_is_named_by_its_class():
    class Masker:
        def __init__(self, cell):
            arguments.require_whole(self, cell=cell)

    with pytest.raises(ValueError, match='^Masker: cell is 0'):
        Masker(0)


@pytest.mark.parametrize('value', ['x', {}, [dict(type='A'), 'x'], (dict(typ='A'),), False])
def test_no_configs(value):
    arguments.require_configs('Part', a=dict(type='A'), b=[dict(type='A')], c=[])
    with pytest.raises(ValueError, match=r"^Part: a is .*; it must be dict\(type='...', ...\)$"):
        arguments.require_configs('Part', a=value)


@pytest.mark.parametrize('value', ['', [1], None, ['a', ''], True])
def test_no_texts(value):
    arguments.require_texts('Part', a='x', b=['x', 'y'], c=[])
    with pytest.raises(ValueError, match='^Part: a is .*; it must be a string or a list of str'):
        arguments.require_texts('Part', a=value)


@pytest.mark.parametrize('value', [None, True, [], 'ab', [('a', 1)]])
def test_no_dict(value):
    arguments.require_dict('Part', a={}, b=dict(c=1))
    with pytest.raises(ValueError, match='^Part: a is .*; it must be a dict of arguments$'):
        arguments.require_dict('Part', a=value)


@pytest.mark.parametrize('value', [4, None, 'abc', (1, 2), (1, 2, 3, 4), {1, 2, 3}])
def test_no_token_grid(value):
    arguments.require_token_grid('Part', (1, 2, 3))
    with pytest.raises(ValueError, match='^Part: token_grid is .*; it must be three numbers'):
        arguments.require_token_grid('Part', value)
    with pytest.raises(ValueError, match='^Part: width is 0; it must be a whole number'):
        arguments.require_token_grid('Part', [1, 2, 0])
