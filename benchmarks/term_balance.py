"""How hard each term pulls at the encoder when a training begins, by the switches of CLFA.

python benchmarks/term_balance.py --tiny      # the demo's model and clips; its teachers if made
python benchmarks/term_balance.py             # ViT-B, two clips, random teachers
"""

import argparse
import logging
from pathlib import Path

import torch
from harness import add_device, machine_line, markdown, save_json
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import Phase
from pmd_mmaction.hooks.term_balance_hook import term_pulls
from pmd_mmaction.teacher_configs import find_teachers

ROOT = Path(__file__).resolve().parents[1]
LETTER = dict(student_norm='none', fc_std=None)
ROWS = {
    'as written': {},
    'weight 0.1': dict(loss_weight=0.1),
    'FC std 0.02': dict(fc_std=0.02),
    'FC zero': dict(fc_std=0),
    'norm': dict(student_norm='layer_norm'),
    'norm, FC std 0.02': dict(student_norm='layer_norm', fc_std=0.02),
    'norm, FC zero': dict(student_norm='layer_norm', fc_std=0),
    'masked tokens': dict(align_tokens='masked'),
    'norm, masked tokens': dict(student_norm='layer_norm', align_tokens='masked'),
}


def read_config(tiny: bool, data: str) -> Config:
    """Model and data; teachers without a file are random."""
    name = 'vit-tiny_demo_pretrain' if tiny else 'vit-b_k400_pretrain'
    cfg = Config.fromfile(ROOT / f'configs/pmd/{name}.py')
    demo = Config.fromfile(ROOT / 'configs/pmd/vit-tiny_demo_pretrain.py')
    dataset, size = demo.train_dataloader.dataset, cfg.model.backbone.get('img_size', 224)
    for step in dataset.pipeline:
        if step.type == 'SampleFrames':
            step.clip_len = cfg.model.backbone.get('num_frames', 16)
        if step.type == 'Resize':
            step.scale = (size, size)
    dataset.update(ann_file=f'{data}/train.txt', data_prefix=dict(video=data))
    cfg.train_dataloader.dataset = dataset
    cfg.model.dare = cfg.model.psd = None  # of a first step they are base again, and nothing
    for _, teacher in find_teachers(cfg.model).values():
        if teacher.get('checkpoint') and not Path(teacher.checkpoint).is_file():
            teacher.checkpoint = None
    return cfg


def measure(cfg: Config, switches: dict, inputs: torch.Tensor, device: str) -> dict:
    """Losses and pulls of one step of a fresh student."""
    torch.manual_seed(0)
    model = MODELS.build({**cfg.model, 'clfa': {**cfg.model.clfa, **LETTER, **switches}})
    model.init_weights()
    model.to(device).train()
    model.set_phase(Phase(0, 0.75, 0, 100))
    model.seed_masks(0)
    losses = model.term_losses(inputs.to(device), [])
    pulls = term_pulls(losses, list(model.backbone.parameters()))
    return {name: dict(loss=losses[name].item(), **pulls[name]._asdict()) for name in losses}


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--tiny', action='store_true', help="the demo's model instead of ViT-B")
    parser.add_argument('--data', default='data/demo', help='the demo clips')
    parser.add_argument('--json', help='write the raw figures here')
    add_device(parser)
    args = parser.parse_args()
    init_default_scope('mmaction')
    cfg = read_config(args.tiny, args.data)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[i] for i in range(args.batch)])
    inputs = MODELS.build(cfg.model.data_preprocessor)(batch, True)['inputs']
    machine = machine_line(args.device)
    found = {name: measure(cfg, row, inputs, args.device) for name, row in ROWS.items()}
    print(machine, '\n')
    rows = []
    for name, terms in found.items():
        base, al = terms['base'], terms['al']
        rows.append(
            [name, f'{base["loss"]:.2f}', f'{al["loss"]:.2f}']
            + [f'{base["norm"]:.3g}', f'{al["norm"]:.3g}', f'{al["norm"] / base["norm"]:.2g}']
            + [f'{al["cosine"]:.2f}']
        )
    header = ('CLFA', 'base', 'CLFA', 'pull of base', 'of CLFA', 'ratio', 'cosine')
    print(markdown(header, rows))
    save_json(args.json, dict(machine=machine, batch=args.batch, rows=found))


if __name__ == '__main__':
    main()
