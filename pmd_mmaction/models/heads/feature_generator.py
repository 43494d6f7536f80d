"""From projected visible tokens to features at further patches (AMD)."""

from mmaction.registry import MODELS
from torch import nn

from pmd_mmaction.arguments import TokenGrid, Whole, checked, require_keys
from pmd_mmaction.models.heads.feature_decoder import FeatureDecoder

OPTIONS = ('depth', 'num_heads', 'mlp_ratio', 'drop_path_rate', 'position', 'norm_cfg', 'init_cfg')


@MODELS.register_module()
class FeatureGenerator(FeatureDecoder):
    """The blocks of a :class:`FeatureDecoder` alone: tokens of the teacher's width in and out.

    Args:
        dims: width of the teacher.
        token_grid: tokens along (time, height, width).
        train_mask_token: False: the mask token stays as it was drawn. In AMD's code it is no
            parameter, so that nothing trains it.
        **decoder: ``depth``, ``num_heads``, ``mlp_ratio``, ``drop_path_rate``, ``position``,
            ``norm_cfg`` and ``init_cfg`` of :class:`FeatureDecoder`.

    Raises:
        ValueError: naming the argument that makes no sense.
    """

    @checked
    def __init__(
        self,
        dims: Whole,
        token_grid: TokenGrid,
        train_mask_token: bool = True,
        **decoder,
    ) -> None:
        require_keys(self, OPTIONS, decoder=decoder)
        super().__init__(dims, dims, token_grid, dims, **decoder)
        self.embed, self.norm, self.head = nn.Identity(), nn.Identity(), nn.Identity()
        if not train_mask_token:
            token = self.mask_token.detach()
            del self.mask_token
            self.register_buffer('mask_token', token)
