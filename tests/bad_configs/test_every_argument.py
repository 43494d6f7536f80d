"""No argument of a registered component takes nonsense, and each error names the argument."""

from inspect import Parameter, signature

import pytest
from mmaction.registry import DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TRANSFORMS
from mmengine.hooks import CheckpointHook

from pmd_mmaction.arguments import argument_names
from pmd_mmaction.datasets import PathListDataset
from pmd_mmaction.models import FeatureDecoder, Float32TimeSformerHead, MaskedVisionTransformer
from pmd_mmaction.models.terms import PatchTerm, Term
from tests.bad_configs.good import ERRORS, GOOD, build
from tests.every import every

REGISTRIES = (DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TRANSFORMS)
# Arguments behind ``**``: where their names are.
BEHIND = {
    'SafeCheckpointHook': lambda: set(signature(CheckpointHook).parameters),
    **{
        name: lambda: set(argument_names(PatchTerm))
        for name in ('BaseTerm', 'DARETerm', 'PixelTerm')
    },
    **{
        name: lambda: set(argument_names(Term))
        for name in ('PSDTerm', 'CLFATerm', 'LayerPairTerm', 'UnitAlignmentTerm')
    },
    'FeatureGenerator': lambda: (
        set(argument_names(FeatureDecoder)) - {'in_dims', 'out_dims', 'embed_dims', 'embed_bias'}
    ),
    'AttentiveHead': lambda: set(signature(Float32TimeSformerHead).parameters),
    'VideoMAETeacher': lambda: set(signature(MaskedVisionTransformer).parameters),
    'PathListDataset': lambda: set(PathListDataset.OPTIONS),
    'RepeatAugPathListDataset': lambda: set(PathListDataset.OPTIONS),
}
GIVEN = {'runner', 'dataloader', 'sampler'}  # by the Runner, not by a config


def registered():
    """Names of what the package registers, and their classes."""
    found = {}
    for registry in REGISTRIES:
        for part in (registry, registry.parent):
            found |= part.module_dict
    return {name: kind for name, kind in found.items() if kind.__module__.startswith('pmd_')}


def arguments():
    """Pairs of a good config and an argument of its component."""
    for name, (_, cfg) in GOOD.items():
        kind = registered()[cfg['type']]
        names = {
            key
            for key, parameter in signature(kind).parameters.items()
            if parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
        }
        names |= BEHIND.get(kind.__name__, set)()
        yield from ((name, key) for key in sorted(names - GIVEN) if key not in ('args', 'kwargs'))


def test_each_component_has_a_good_config():
    named = {kind.__name__ for kind in registered().values()}
    assert named == {cfg['type'] for _, cfg in GOOD.values()}


@every('name', GOOD)
def test_the_good_configs_are_good(list_here, mmaction_scope, name):
    build(name)


@every('argument', arguments())
def test_nonsense_is_refused_by_name(list_here, mmaction_scope, argument):
    name, key = argument
    with pytest.raises(ERRORS) as error:
        build(name, {key: object()})
    assert key in str(error.value)
