"""model-index.yml, true to the configs, and the tables of configs/pmd/README.md."""

import re
from pathlib import Path

import yaml

import pmd_mmaction
from tests.every import every
from tests.integration.shipped import config_of, epochs_of

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
METADATA = {'Architecture', 'Resolution', 'Frames', 'Training Data', 'Task'}


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding='utf-8'))


METAFILES = [read(ROOT / name) for name in read(ROOT / 'model-index.yml')['Import']]
MODELS = [model for metafile in METAFILES for model in metafile['Models']]
TEXT = (ROOT / 'configs' / 'pmd' / 'README.md').read_text(encoding='utf-8')


def name_of(config: str) -> str:
    """The name of a config: that of the file, after the method's folder if it is not PMD's."""
    folder, stem = Path(config).parts[1], Path(config).stem
    return stem if folder in ('pmd', 'teachers') else f'{folder}_{stem}'


def unsourced(model: dict) -> list[str]:
    """Results without a source."""
    return [
        str(result)
        for result in model.get('Results', [])
        if not {'Dataset', 'Task', 'Metrics', 'Source'} <= result.keys() or not result['Source']
    ]


# ---------------------------------------------------------------------- the index


def test_every_metafile_is_imported():
    found = {str(path.relative_to(ROOT)) for path in (ROOT / 'configs').rglob('metafile.yml')}
    assert set(read(ROOT / 'model-index.yml')['Import']) == found


def test_every_config_is_in_one_metafile():
    assert sorted(model['Config'] for model in MODELS) == CONFIGS


def test_names_are_unique_and_those_of_the_files():
    names = [model['Name'] for model in MODELS]
    assert len(set(names)) == len(names)
    assert names == [name_of(model['Config']) for model in MODELS]


def test_collections():
    for metafile in METAFILES:
        (collection,) = metafile['Collections']
        assert collection['Paper']['Title']
        assert (ROOT / collection['README']).is_file()
        assert (Path(pmd_mmaction.__file__).parents[1] / collection['Code']['URL']).is_dir()
        assert {model['In Collection'] for model in metafile['Models']} == {collection['Name']}


@every('model', MODELS, name=lambda model: model['Name'])
def test_metadata_is_that_of_the_config(model):
    meta, cfg = model['Metadata'], config_of(model['Config'].removeprefix('configs/'))
    assert METADATA <= meta.keys() and all(meta.values())
    size = cfg.model.backbone.img_size
    assert meta['Resolution'] == f'{size}x{size}'
    assert meta['Frames'] == cfg.model.backbone.num_frames
    if cfg.get('train_dataloader'):
        assert meta['Epochs'] == epochs_of(cfg)
        assert meta['Batch Size'] == cfg.train_dataloader.batch_size
    assert model['Modality'] == 'RGB'
    assert unsourced(model) == []


def test_a_number_without_source_is_found():
    result = dict(Dataset='K400', Task='Action Recognition', Metrics={'Top 1 Accuracy': 83.3})
    assert unsourced(dict(Results=[result]))
    assert not unsourced(dict(Results=[dict(result, Source='log of 2026-11-23')]))


# ---------------------------------------------------------------------- the tables


def rows() -> list[list[str]]:
    lines = [line for line in TEXT.splitlines() if line.startswith('|') and '---' not in line]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def links(text: str) -> list[str]:
    return re.findall(r'\]\(([^)]+)\)', text)


PAPER = {
    'vit-s_ssv2_finetune': 70.7,
    'vit-b_ssv2_finetune': 73.7,
    'vit-l_ssv2_finetune': 76.4,
    'vit-b_k400_finetune': 83.3,
    'vit-l_k400_finetune': 86.3,
    'vit-b_ucf101_finetune': 97.6,
    'vit-b_hmdb51_finetune': 78.6,
    'base': 72.5,
    'psd': 73.0,
    'dare': 72.8,
    'clfa': 72.7,
    'psd-dare': 73.5,
    'psd-clfa': 73.1,
    '90': 73.1,
    '75-90': 73.4,
    '75-80-90': 73.6,
    '75-85-90': 73.5,
    'image-teacher': 73.1,
    'video-teacher': 73.4,
    'smoothing-only': 73.2,
    'weighting-only': 73.4,
    'vit-b_k400_pretrain': 73.7,
}


def test_every_link_exists():
    assert len(links(TEXT)) > 40
    for target in links(TEXT):
        assert (ROOT / 'configs' / 'pmd' / target).is_file(), target


def test_every_config_of_the_method_is_in_a_table():
    linked = {(ROOT / 'configs' / 'pmd' / link).resolve() for link in links(TEXT)}
    method = {(ROOT / name).resolve() for name in CONFIGS if name.startswith('configs/pmd/')}
    assert method <= linked


def test_the_papers_numbers():
    found = {}
    for row in rows():
        targets = [Path(link).stem for link in links(' '.join(row))]
        if targets and row[-2]:
            found.setdefault(targets[-1].removeprefix('vit-b_k400_pretrain_'), set()).add(row[-2])
    assert {name: {f'{value:.1f}'} for name, value in PAPER.items()} == found


def test_nothing_of_ours_is_claimed():
    ours = {row[-1] for row in rows() if links(' '.join(row))}
    assert ours == {'not yet run'}
