"""A recorded config is data: what it may name, and what is kept of it."""

import pytest

from pmd_mmaction.hooks.nonfinite.recorded_config import KEYS, read_config
from tests.integration import tiny


def test_a_config_of_this_project_is_read(tmp_path):
    cfg = tiny.tiny_config(tmp_path / 'clips', tmp_path / 'work')
    found = read_config(repr(cfg.to_dict()))
    assert set(found) == set(KEYS) & set(cfg)
    for key in found:
        assert found[key] == cfg[key]


@pytest.mark.parametrize('name', ['TubeMasker', 'mmaction.TubeMasker', 'mmengine.DefaultSampler'])
def test_names_of_registries_are_accepted(name):
    assert read_config(repr(dict(model=dict(type=name)))).model.type == name


@pytest.mark.parametrize('name', ['os.system', 'eval', 'torch.TubeMasker', 'TubMasker', '', None])
@pytest.mark.parametrize('wrap', [lambda x: x, lambda x: dict(type='TubeMasker', a=[(x, 1)])])
def test_others_are_refused_at_any_depth(name, wrap):
    with pytest.raises(ValueError, match='is not registered: give --config'):
        read_config(repr(dict(model=wrap(dict(type=name)))))


@pytest.mark.parametrize('imports', [['os'], ['pmd_mmaction', 'os'], 'os'])
def test_other_imports_are_refused(imports):
    config = dict(model=dict(type='TubeMasker'), custom_imports=dict(imports=imports))
    with pytest.raises(ValueError, match='imports more than pmd_mmaction'):
        read_config(repr(config))
