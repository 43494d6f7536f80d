"""The words with which arguments are refused."""

import inspect
from typing import Annotated

import numpy as np
import pytest

from pmd_mmaction.arguments import (
    Config,
    Configs,
    Count,
    NonNegative,
    Options,
    Text,
    Texts,
    TokenGrid,
    Whole,
    argument_names,
    checked,
    colours,
    number,
    one_of,
    require,
    require_divisible,
    require_keys,
    whole,
)
from tests.every import every


@every('value', [0, -1, 2.0, '3', None, True, [1], float('nan')], name=repr)
def test_no_whole_number(value):
    with pytest.raises(
        ValueError, match=r'^Part: depth is .*; it must be a whole number, at least 1$'
    ):
        require('Part', Whole, depth=value)


def test_whole_numbers():
    require('Part', Whole, depth=1, width=np.int64(3))
    require('Part', Count, depth=0)
    with pytest.raises(ValueError, match='^Part: width is 0'):
        require('Part', Whole, depth=1, width=0)


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
    require('Part', Annotated[float, number(**bounds)], x=right)
    with pytest.raises(ValueError) as error:
        require('Part', Annotated[float, number(**bounds)], x=wrong)
    assert str(error.value) == f'Part: x is {wrong!r}; it must be {words}'


@every('value', [float('nan'), float('inf'), '0.5', None, True, [0.5]], name=repr)
def test_no_number(value):
    with pytest.raises(ValueError, match='^Part: tau is .*; it must be a number at least 0$'):
        require('Part', NonNegative, tau=value)


@every('value', ['True', 1, 0, None], name=repr)
def test_no_flag(value):
    require('Part', bool, a=True, b=False)
    with pytest.raises(ValueError, match=r'^Part: b is .*; it must be True or False$'):
        require('Part', bool, a=True, b=value)


@every('value', ['c', None, ['a'], ['a', 'b']], name=repr)
def test_not_one_of(value):
    require('Part', Annotated[str, one_of(('a', None))], x='a', y=None)
    with pytest.raises(ValueError, match=r"it must be one of \('a', 'b'\)$"):
        require('Part', Annotated[str, one_of(('a', 'b'))], x=value)


@every('value', ['', None, 3, ['a']], name=repr)
def test_no_text(value):
    require('Part', Text, name='vit')
    with pytest.raises(ValueError, match='^Part: name is .*; it must be a non-empty string$'):
        require('Part', Text, name=value)


@every('value', [None, 'TubeMasker', {}, dict(cell=2)], name=repr)
def test_no_config(value):
    require('Part', Config, masker=dict(type='TubeMasker'))
    with pytest.raises(
        ValueError, match=r"^Part: masker is .*; it must be dict\(type='...', ...\)$"
    ):
        require('Part', Config, masker=value)


@pytest.mark.parametrize(
    'value, message',
    [
        (True, 'Part: psd is True; it must be a dict of b, a'),
        (dict(a=1, c=2), "Part: psd has an unknown key 'c'; it takes b, a"),
        (dict(b=1), "Part: psd is {'b': 1}; it lacks 'a'"),
    ],
)
def test_wrong_keys(value, message):
    require_keys('Part', ('b', 'a'), ('a',), psd=dict(a=1))
    with pytest.raises(TypeError) as error:
        require_keys('Part', ('b', 'a'), ('a',), psd=value)
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
    require_divisible('Part', height=32, width=48, patch_size=16)
    with pytest.raises(ValueError, match=message):
        require_divisible('Part', **sizes)


class Part:
    """Takes arguments."""

    @checked
    def __init__(self, cell: Whole, name: Text | None = None, *, tau: float = 1, **options):
        self.given = cell, name, tau, options


class Small(Part):
    """Passes them on."""

    @checked
    def __init__(self, cell: Annotated[int, whole(0)] = 0, **part):
        super().__init__(cell, **part)


def test_fitting_arguments_arrive():
    assert Part(3, tau='anything', more=0).given == (3, None, 'anything', dict(more=0))
    assert Small(3, name='x').given == (3, 'x', 1, {})


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: Part(0), 'Part: cell is 0; it must be a whole number, at least 1'),
        (lambda: Part(cell=None), 'Part: cell is None; it must be a whole number, at least 1'),
        (lambda: Part(1, ''), "Part: name is ''; it must be a non-empty string"),
        (lambda: Small(-1), 'Small: cell is -1; it must be a whole number, at least 0'),
        (lambda: Small(0), 'Small: cell is 0; it must be a whole number, at least 1'),
    ],
)
def test_arguments_that_do_not_fit_their_type(make, message):
    with pytest.raises(ValueError, match=f'^{message}$'):
        make()


def test_python_says_what_is_missing():
    with pytest.raises(TypeError, match=r"Part.__init__\(\) missing 1 required .*'cell'"):
        Part(name=0)


def test_the_signature_stays():
    assert list(inspect.signature(Part).parameters) == ['cell', 'name', 'tau', 'options']
    assert argument_names(Small) == ['cell', 'name', 'tau']
    assert 'a whole number, at least 1' in str(inspect.signature(Part))


def test_values_behind_keys():
    require_keys('Part', dict(a=Whole, b=None), psd=dict(a=1, b='x'))
    with pytest.raises(ValueError, match='^Part: a is 0; it must be a whole number'):
        require_keys('Part', dict(a=Whole, b=None), psd=dict(a=0))


@every('value', [0.5, 'abc', (1, 2), dict(a=1, b=2, c=3)], name=repr)
def test_no_colours(value):
    require('Part', Annotated[list, colours(above=0)], std=[1, 2, 3.0])
    with pytest.raises(ValueError, match='^Part: std is .*; it must be three numbers, one per col'):
        require('Part', Annotated[list, colours()], std=value)
    with pytest.raises(ValueError, match=r'^Part: std\[1\] is 0; it must be a number above 0$'):
        require('Part', Annotated[list, colours(above=0)] | None, std=[1, 0, 1])


@every('value', ['x', {}, [dict(type='A'), 'x'], (dict(typ='A'),), False], name=repr)
def test_no_configs(value):
    require('Part', Configs, a=dict(type='A'), b=[dict(type='A')], c=[])
    with pytest.raises(ValueError, match=r"^Part: a is .*; it must be dict\(type='...', ...\)$"):
        require('Part', Configs, a=value)


@every('value', ['', [1], None, ['a', ''], True], name=repr)
def test_no_texts(value):
    require('Part', Texts, a='x', b=['x', 'y'], c=[])
    with pytest.raises(ValueError, match='^Part: a is .*; it must be a string or a list of str'):
        require('Part', Texts, a=value)


@every('value', [None, True, [], 'ab', [('a', 1)]], name=repr)
def test_no_dict(value):
    require('Part', Options, a={}, b=dict(c=1))
    with pytest.raises(ValueError, match='^Part: a is .*; it must be a dict of arguments$'):
        require('Part', Options, a=value)


@every('value', [4, None, 'abc', (1, 2), (1, 2, 3, 4), {1, 2, 3}], name=repr)
def test_no_token_grid(value):
    require('Part', TokenGrid, token_grid=(1, 2, 3))
    with pytest.raises(ValueError, match='^Part: token_grid is .*; it must be three numbers'):
        require('Part', TokenGrid, token_grid=value)
    with pytest.raises(ValueError, match='^Part: width is 0; it must be a whole number'):
        require('Part', TokenGrid, token_grid=[1, 2, 0])
