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


@pytest.mark.parametrize('name', ['decoder.x', 'module.decoder.x', 'encoder.decoder._orig_mod.x'])
def test_drops_see_through_wrappers(name):
    result = rename({'x': ONE, name: TWO}, [('x', 'z')], [(r'decoder\.x', 'why')], 'test')
    assert result.state_dict == {'z': ONE} and result.dropped == {name: 'why'}


@pytest.mark.parametrize('name', ['modules.x', 'my_model.x', 'remodel.x', 'x.module', 'decoder.x'])
def test_what_only_looks_like_a_wrapper_is_unknown(name):
    with pytest.raises(ValueError, match=f'unknown key.*{name}'):
        rename({name: ONE}, [('x', 'z')], [], 'test')


@pytest.mark.parametrize(
    'keys, remedy',
    [
        (['net.x', 'net.y.z'], r"All keys start with 'net\.': if --from is right, save them"),
        (['net.x', 'other.x'], 'Choose another --from'),
        (['net'], 'Choose another --from'),
    ],
)
def test_the_remedy_for_unknown_keys(keys, remedy):
    with pytest.raises(ValueError, match=remedy):
        rename(dict.fromkeys(keys, ONE), [('x', 'z')], [], 'test')


def test_a_rule_for_the_whole_name_comes_first():
    """Hugging Face's own ``encoder.layer`` is no wrapper."""
    rules = [(r'encoder\.layer', 'right'), ('layer', 'wrong')]
    assert rename({'encoder.layer': ONE}, rules, [], 'test').state_dict == {'right': ONE}
    assert rename({'module.encoder.layer': ONE}, rules, [], 'test').state_dict == {'right': ONE}


def test_two_steps_report_as_one():
    first = Conversion({'b': ONE, 'c': TWO}, {'a': 'b', 'x': 'c'}, {'y': 'first'}, ('one',))
    second = Conversion({'d': ONE}, {'b': 'd'}, {'c': 'second'}, ('two',))
    both = first.then(second)
    assert both == Conversion({'d': ONE}, {'a': 'd'}, {'y': 'first', 'x': 'second'}, ('one', 'two'))
