"""How the file of a teacher is made."""

from pathlib import Path

MAE = 'https://dl.fbaipublicfiles.com/mae/pretrain'
CONVERT = 'python tools/convert_checkpoint.py'
FETCH = 'curl --create-dirs -Lo'
TO_TIMM = f'{CONVERT} --from mmaction --to timm'


def _hub(name: str) -> str:
    return f'{FETCH} {{path}} https://huggingface.co/timm/{name}/resolve/main/model.safetensors'


# Ends of the paths in the shipped configs; {path} is the whole.
COMMANDS = {
    'mae_pretrain_vit_base.pth': f'{FETCH} {{path}} {MAE}/mae_pretrain_vit_base.pth',
    'mae_pretrain_vit_large.pth': f'{FETCH} {{path}} {MAE}/mae_pretrain_vit_large.pth',
    'clip_vit-b-16_openai.safetensors': _hub('vit_base_patch16_clip_224.openai'),
    'dinov2_vit-b-14.safetensors': _hub('vit_base_patch14_dinov2.lvd142m'),
    'dinov3_vit-b-16.safetensors': _hub('vit_base_patch16_dinov3.lvd1689m'),
    'demo/image_teacher.pth': 'python tools/demo.py',
    'demo/video_teacher/epoch_24.pth': 'python tools/demo.py',
}
KINDS = {
    'TimmImageTeacher': f'{TO_TIMM} YOUR_MAE {{path}}',
    'VideoMAETeacher': f'{CONVERT} --from videomae --to mmaction VIDEOMAE_PTH {{path}}'
    '  # docs/model_zoo.md',
}
ELSE = 'see docs/model_zoo.md'


def command_for(kind: object, path: str) -> str:
    """The command that makes the file of a teacher.

    Args:
        kind: ``type`` of the teacher in the config.
        path: of the file.

    Returns:
        The command; names in capitals are for the user to fill in.
    """
    text = next((c for end, c in COMMANDS.items() if Path(path).as_posix().endswith(end)), None)
    return (text or KINDS.get(str(kind), ELSE)).replace('{path}', path)
