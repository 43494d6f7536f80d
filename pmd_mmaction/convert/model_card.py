"""The page of a model on the Hugging Face Hub, out of its entry in a metafile."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import yaml

TASKS = {False: 'feature-extraction', True: 'video-classification'}
USE = """```python
import torch
from transformers import {auto}

model = {auto}.from_pretrained({arguments}).eval()
clips = torch.randn(1, {frames}, 3, {size}, {size})  # normalised as preprocessor_config.json says
{result}
```"""
RESULTS = {
    False: 'features = model(clips).last_hidden_state  # (clips, patches, width)',
    True: 'classes = model(clips).logits.softmax(-1)',
}
FACTS = ('Architecture', 'Frames', 'Resolution', 'Training Data', 'Teacher', 'Epochs', 'Task')


def find_entry(config: Path) -> tuple[dict, dict]:
    """What the metafile beside a config, or one folder above it, says of it.

    Args:
        config: the config that the weights were trained with.

    Returns:
        Its entry under ``Models`` and that of its collection; empty ones without a metafile.
    """
    for folder in (config.parent, config.parent.parent):
        path = folder / 'metafile.yml'
        if path.is_file():
            content = yaml.safe_load(path.read_text(encoding='utf-8'))
            for model in content.get('Models', []):
                if Path(model['Config']).name == config.name:
                    named = {c['Name']: c for c in content.get('Collections', [])}
                    return model, named.get(model.get('In Collection'), {})
    return {}, {}


def model_card(
    name: str,
    entry: Mapping,
    collection: Mapping,
    licence: str,
    config: Mapping,
    custom_code: bool,
) -> str:
    """The text of ``README.md``, front matter first.

    Args:
        name: of the model.
        entry: of the metafile; its ``Results`` become the evaluation. May be empty.
        collection: the entry of its method. May be empty.
        licence: identifier of the Hub, such as ``cc-by-nc-4.0``.
        config: content of ``config.json``.
        custom_code: whether a Python file lies beside the weights.
    """
    facts = {key: entry['Metadata'][key] for key in FACTS if key in entry.get('Metadata', {})}
    classifies = config['architectures'] == ['VideoMAEForVideoClassification']
    method = collection.get('Name', 'masked distillation')
    paper = collection.get('Paper', {}).get('Title')
    auto = 'AutoModelForVideoClassification' if classifies else 'AutoModel'
    use = USE.format(
        auto=auto,
        arguments=f"'{name}', trust_remote_code=True" if custom_code else f"'{name}'",
        frames=config['num_frames'],
        size=config['image_size'],
        result=RESULTS[classifies],
    )
    parts = [
        f'# {name}',
        f'A video transformer of {method}' + (f' (*{paper}*)' if paper else '') + ', trained with '
        f'`{entry.get("Config", "a config of its own")}` of pmd_mmaction.',
        '## Use',
        use,
        *(['The Python file beside the weights keeps their positions.'] if custom_code else []),
        '## Training',
        _table([*facts.items()]) if facts else 'Not described in a metafile.',
        '## Evaluation',
        _table(_rows(entry)) if _rows(entry) else 'These weights have not been evaluated.',
    ]
    front = _front_matter(name, entry, method, licence, classifies)
    return f'---\n{front.strip()}\n---\n\n' + '\n\n'.join(parts) + '\n'


def _front_matter(name: str, entry: Mapping, method: str, licence: str, classifies: bool) -> str:
    from huggingface_hub import EvalResult, ModelCardData  # slow to import

    results = [
        EvalResult(
            task_type='video-classification',
            dataset_type=_identifier(result['Dataset']),
            dataset_name=result['Dataset'],
            metric_type='accuracy',
            metric_name=metric,
            metric_value=value,
        )
        for result in entry.get('Results', [])
        for metric, value in result['Metrics'].items()
    ]
    data = entry.get('Metadata', {}).get('Training Data')
    return ModelCardData(
        license=licence,
        library_name='transformers',
        pipeline_tag=TASKS[classifies],
        tags=['video', 'self-supervised', 'videomae', _identifier(method)],
        datasets=[_identifier(data)] if data else None,
        model_name=name if results else None,
        eval_results=results or None,
    ).to_yaml()


def _rows(entry: Mapping) -> list[tuple]:
    return [
        (f'{result["Dataset"]}, {metric}', f'{value} ({result["Source"]})')
        for result in entry.get('Results', [])
        for metric, value in result['Metrics'].items()
    ]


def _table(rows: list[tuple]) -> str:
    return '\n'.join(['| | |', '| --- | --- |', *(f'| {a} | {b} |' for a, b in rows)])


def _identifier(name: str) -> str:
    """A name as the Hub writes them, without blanks and capitals."""
    return name.lower().replace(' ', '-')
