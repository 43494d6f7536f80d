"""VideoMAE of Hugging Face with the positions that lie in its checkpoint.

``tools/convert_checkpoint.py --to huggingface --custom-code`` puts a copy of this file beside the
weights; ``AutoModel.from_pretrained(folder, trust_remote_code=True)`` runs it. Without it
VideoMAE would compute its own positions, whatever the model was trained with.
"""

import transformers
from torch import nn
from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEModel

if int(transformers.__version__.split('.')[0]) < 5:
    raise ImportError(
        f'these weights need transformers 5; {transformers.__version__} calls the biases of the '
        'attention otherwise and would leave them out'
    )


def _keep_positions(embeddings: nn.Module) -> None:
    """Makes the ``(1, N, D)`` positions a part of the checkpoint."""
    table = embeddings.position_embeddings
    del embeddings.position_embeddings
    embeddings.register_buffer('position_embeddings', table.clone())


class VideoMAEModelWithPositions(VideoMAEModel):
    """The encoder."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__(config)
        _keep_positions(self.embeddings)


class VideoMAEForVideoClassificationWithPositions(VideoMAEForVideoClassification):
    """The encoder with mean pooling and a linear classifier."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__(config)
        _keep_positions(self.videomae.embeddings)
