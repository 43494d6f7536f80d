"""Every key is renamed, dropped for a reason, or an error."""

import pytest
import torch

from pmd_mmaction.convert.rename import Conversion, rename

ONE, TWO = torch.ones(1), torch.full((1,), 2.0)


def test_the_first_rule_wins_and_the_report_is_complete():
    rules = [(r'a\.(\d)', r'first.\1'), (r'a\..*', 'second')]
    result = rename({'a.1': ONE, 'a.x': TWO, 'gone': ONE}, rules, [('gone', 'why')], 'test')
    assert result.state_dict == {'first.1': ONE, 'second': TWO}
    assert result.renamed == {'a.1': 'first.1', 'a.x': 'second'}
    assert result.dropped == {'gone': 'why'}


def test_a_rule_must_match_the_whole_key():
    with pytest.raises(ValueError, match=r"1 unknown key.*'a.1.extra'"):
        rename({'a.1': ONE, 'a.1.extra': ONE}, [(r'a\.(\d)', r'\1')], [], 'test')


def test_two_names_of_one_weight_are_refused():
    with pytest.raises(ValueError, match="'x' and 'y' of the file are the same weight"):
        rename({'x': ONE, 'y': TWO}, [('x|y', 'z')], [], 'test')


def test_nothing_at_all_is_refused():
    with pytest.raises(ValueError, match='none of the expected keys'):
        rename({'x': ONE}, [], [('x', 'why')], 'test')


def test_two_steps_report_as_one():
    first = Conversion({'b': ONE, 'c': TWO}, {'a': 'b', 'x': 'c'}, {'y': 'first'}, ('one',))
    second = Conversion({'d': ONE}, {'b': 'd'}, {'c': 'second'}, ('two',))
    both = first.then(second)
    assert both == Conversion({'d': ONE}, {'a': 'd'}, {'y': 'first', 'x': 'second'}, ('one', 'two'))
