# Ablation at demo scale: base, PSD and DARE, whose table covers the whole frame.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_psd-dare_canonical.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = './vit-tiny_demo_pretrain_psd-dare.py'

pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='NoteCropBox'),
    dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx', 'crop_box')),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
default_hooks = dict(difficulty=dict(region='canonical'))
work_dir = 'work_dirs/demo/pmd_psd-dare_canonical'
