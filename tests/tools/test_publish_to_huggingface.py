"""tools/publish_model.py --to huggingface: what transformers and the Hub make of the folder."""

import json

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from mmaction.registry import MODELS
from transformers import AutoModel, AutoModelForVideoClassification

from pmd_mmaction.convert import find_entry, model_card
from tests.integration import tiny
from tools.publish_model import main

BACKBONE = dict(
    type='MaskedVisionTransformer',
    img_size=32,
    num_frames=4,
    patch_size=16,
    embed_dims=48,
    depth=2,
    num_heads=3,
)
METAFILE = dict(
    Collections=[dict(Name='PMD', Paper=dict(Title='Progressive Mask Distillation'))],
    Models=[
        dict(
            Name='small',
            Config='configs/pmd/small.py',
            **{'In Collection': 'PMD'},
            Metadata={'Training Data': 'Kinetics-400', 'Teacher': 'MAE ViT-B', 'Epochs': 400},
            Results=[
                dict(
                    Dataset='Something-Something V2',
                    Task='Action Recognition',
                    Metrics={'Top 1 Accuracy': 12.5},
                    Source='a test',
                )
            ],
        )
    ],
)
METAFILES = sorted(tiny.CONFIGS.rglob('metafile.yml'))


@pytest.fixture
def run(tmp_path, randomize, mmaction_scope):
    """Config, metafile and checkpoint of a model, and a function that publishes it."""

    def make(position='sinusoid_1d', results=True, classes=0):
        pools = bool(classes)
        settings = dict(BACKBONE, position=position, use_mean_pooling=pools)
        torch.manual_seed(0)
        network = randomize(MODELS.build(settings)).eval()
        state = {f'backbone.{name}': value for name, value in network.state_dict().items()}
        if classes:
            state |= {
                'cls_head.fc_cls.weight': torch.randn(classes, 48),
                'cls_head.fc_cls.bias': torch.randn(classes),
            }
        torch.save(dict(meta={}, state_dict=state), tmp_path / 'student.pth')
        (tmp_path / 'small.py').write_text(f'model = dict(backbone=dict({settings}))\n')
        entry = yaml.safe_load(yaml.safe_dump(METAFILE))
        if not results:
            del entry['Models'][0]['Results']
        (tmp_path / 'metafile.yml').write_text(yaml.safe_dump(entry))
        return network, state

    def publish(*options, keep='backbone'):
        words = [str(tmp_path / 'student.pth'), str(tmp_path / 'hub' / 'vit-small')]
        words += ['--keep', keep, '--to', 'huggingface', '--config', str(tmp_path / 'small.py')]
        return main([*words, '--license', 'cc-by-nc-4.0', *options]), tmp_path / 'hub' / 'vit-small'

    return make, publish


@torch.no_grad()
def test_an_encoder_with_the_sinusoid_needs_no_code(run, capsys):
    make, publish = run
    network, _ = make()
    code, folder = publish()
    assert code == 0 and 'hf upload' in capsys.readouterr().out
    assert not list(folder.glob('*.py'))
    model = AutoModel.from_pretrained(folder).eval()
    clips = torch.randn(2, 4, 3, 32, 32)
    expected = network.encode(clips.transpose(1, 2)).tokens
    torch.testing.assert_close(model(clips).last_hidden_state, expected, atol=1e-4, rtol=1e-4)
    assert expected.abs().mean() > 0.1


def test_other_positions_need_code_and_consent(run, capsys):
    make, publish = run
    make('sincos_3d')
    code, folder = publish()
    assert code == 1 and not folder.exists()
    assert '--custom-code' in capsys.readouterr().err
    assert publish('--custom-code')[0] == 0
    assert 'trust_remote_code=True' in (folder / 'README.md').read_text()
    assert list(folder.glob('*.py'))


def test_a_part_that_is_missing_is_not_published(run, capsys):
    make, publish = run
    make()
    code, folder = publish(keep='recognizer')
    assert code == 1 and not folder.exists()
    assert 'it has no weights cls_head.*' in capsys.readouterr().err


def test_the_size_of_clips_may_be_a_pair(run, tmp_path, capsys):
    make, publish = run
    make()
    config = tmp_path / 'small.py'
    text = config.read_text()
    config.write_text(text.replace("'img_size': 32", "'img_size': (32, 32)"))
    assert publish()[0] == 0
    config.write_text(text.replace("'img_size': 32", "'img_size': (32, 48)"))
    assert publish()[0] == 1
    assert 'takes square clips' in capsys.readouterr().err


@pytest.mark.parametrize('change', ["'depth': 2", "'embed_dims': 48"])
def test_a_config_of_another_size_is_refused(run, tmp_path, capsys, change):
    make, publish = run
    make()
    config = tmp_path / 'small.py'
    config.write_text(config.read_text().replace(change, change[:-1] + '6'))
    code, folder = publish()
    assert code == 1 and not folder.exists()
    key = change.split("'")[1]
    assert f'student.pth has {key}=' in capsys.readouterr().err


@torch.no_grad()
def test_a_fine_tuned_model_and_its_classes(run, tmp_path):
    make, publish = run
    _, state = make(classes=3)
    (tmp_path / 'labels.txt').write_text('run\njump\nsleep\n')
    code, folder = publish('--labels', str(tmp_path / 'labels.txt'), keep='recognizer')
    assert code == 0
    model = AutoModelForVideoClassification.from_pretrained(folder).eval()
    assert model.config.id2label == {0: 'run', 1: 'jump', 2: 'sleep'}
    assert torch.equal(model.classifier.bias, state['cls_head.fc_cls.bias'])
    card = ModelCard.load(folder / 'README.md')
    assert card.data.pipeline_tag == 'video-classification'
    assert 'AutoModelForVideoClassification' in card.text


def test_the_card_says_method_data_and_evaluation(run):
    make, publish = run
    make()
    _, folder = publish()
    card = ModelCard.load(folder / 'README.md')
    data = card.data
    assert data.license == 'cc-by-nc-4.0' and data.library_name == 'transformers'
    assert data.pipeline_tag == 'feature-extraction' and data.datasets == ['kinetics-400']
    assert {'video', 'self-supervised', 'pmd'} <= set(data.tags)
    assert data.model_name == 'vit-small'
    (result,) = data.eval_results
    assert result.dataset_name == 'Something-Something V2' and result.metric_value == 12.5
    for words in ('Progressive Mask Distillation', '| Teacher | MAE ViT-B |', '12.5 (a test)'):
        assert words in card.text


def test_no_results_are_made_up(run):
    make, publish = run
    make(results=False)
    _, folder = publish()
    card = ModelCard.load(folder / 'README.md')
    assert card.data.eval_results is None and 'model-index' not in card.data.to_dict()
    assert 'have not been evaluated' in card.text


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_every_config_has_a_card(path):
    for model in yaml.safe_load(path.read_text())['Models']:
        config = tiny.ROOT / model['Config']
        entry, collection = find_entry(config)
        assert entry == model and collection.get('Name') == model.get('In Collection')
        sizes = dict(num_frames=16, image_size=224, architectures=['VideoMAEModel'])
        card = ModelCard(model_card('a', entry, collection, 'mit', sizes, False))
        assert card.data.tags[-1] == collection['Name'].lower().replace(' ', '-')
        assert model['Metadata']['Training Data'] in card.text


@pytest.mark.parametrize('missing', ['--config', '--license', 'backbone'])
def test_what_is_missing_is_told(tmp_path, capsys, missing):
    words = dict(zip(['--config', '--license'], ['a.py', 'mit']))
    words.pop(missing, None)
    keep = 'student' if missing == 'backbone' else 'backbone'
    options = [word for pair in words.items() for word in pair]
    with pytest.raises(SystemExit):
        main(['a.pth', 'b', '--keep', keep, '--to', 'huggingface', *options])
    assert missing in capsys.readouterr().err


def test_a_folder_that_exists_is_left_alone(run, capsys):
    make, publish = run
    make()
    _, folder = publish()
    before = (folder / 'README.md').stat().st_mtime_ns
    assert publish()[0] == 1 and 'exists' in capsys.readouterr().err
    assert (folder / 'README.md').stat().st_mtime_ns == before
    assert [path.name for path in folder.parent.iterdir()] == ['vit-small']


def test_clips_are_normalised_as_in_the_run(run, tmp_path):
    make, publish = run
    make()
    config = tmp_path / 'small.py'
    config.write_text(
        config.read_text()
        + "model['data_preprocessor'] = dict(mean=[127.5] * 3, std=[51.0, 102.0, 255.0])\n"
    )
    code, folder = publish()
    found = json.loads((folder / 'preprocessor_config.json').read_text())
    assert code == 0 and found['image_mean'] == [0.5] * 3 and found['image_std'] == [0.2, 0.4, 1.0]
