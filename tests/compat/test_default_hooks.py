"""A hook of a base config is left out by None."""

from types import SimpleNamespace

import pytest
from mmengine.runner import FlexibleRunner, Runner

from pmd_mmaction.compat import default_hooks, status


@pytest.mark.parametrize('kind', [Runner, FlexibleRunner])
def test_none_leaves_a_hook_out(kind):
    registered = []
    runner = SimpleNamespace(register_hook=lambda hook: registered.append(hook['type']))
    mine = dict(type='TermBalanceHook')
    kind.register_default_hooks(runner, dict(term_balance=mine, pictures=None, timer=None))
    assert 'TermBalanceHook' in registered and 'LoggerHook' in registered
    assert 'IterTimerHook' not in registered and len(registered) == 6
    registered.clear()
    kind.register_default_hooks(runner)
    assert len(registered) == 6


def test_the_names_are_those_of_mmengine():
    registered = []
    runner = SimpleNamespace(register_hook=registered.append)
    own = dict.fromkeys(default_hooks.OF_MMENGINE)
    Runner.register_default_hooks.__wrapped__(runner, own)
    assert registered == []
    assert {found.name: found.repaired for found in status()}['default-hooks']
