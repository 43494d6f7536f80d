"""How the trained parts start."""

# Xavier on the linear layers, as MAE, VideoMAE and MVD pre-train (MMAction2's own default is a
# truncated normal, meant for fine-tuning).
VIT_INIT = [
    dict(type='Xavier', layer='Linear', distribution='uniform', bias=0.0),
    dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
]
