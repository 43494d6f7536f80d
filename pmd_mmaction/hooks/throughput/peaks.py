"""What devices can do at most."""

import re

# TFLOP/s of dense matrix products (no sparsity) with accumulation in float32, as the makers state:
# NVIDIA's data sheets of H100 (SXM 989, PCIe 756, NVL 835), H200, A100 and V100 (SXM2 125, PCIe
# 112), which give twice as much with sparsity from the A100 on; the Ada whitepaper, appendix A, for
# the RTX 4090. (name of the device, float16 and bfloat16, TF32, float32); the first that fits.
_HALF, _TF32, _FULL = 0, 1, 2
_PEAKS = (
    (r'H100 PCIe', (756, 378, 51)),
    (r'H[12]00 NVL', (835, 417, 60)),
    (r'H[12]00\b', (989, 494, 67)),
    (r'A100\b', (312, 156, 19.5)),
    (r'V100-SXM', (125, None, 15.7)),
    (r'V100-PCI', (112, None, 14)),
    (r'RTX 4090$', (165.2, 82.6, 82.6)),
)
_COLUMNS = dict(float16=_HALF, bfloat16=_HALF, tf32=_TF32, float32=_FULL)


def peak_tflops(device: str, precision: str) -> float | None:
    """Most TFLOP/s of a device in dense matrix products, as its maker states.

    Args:
        device: as ``torch.cuda.get_device_name`` gives it.
        precision: ``'float16'``, ``'bfloat16'``, ``'tf32'`` or ``'float32'``; a device without TF32
            computes in float32 instead.

    Returns:
        None for a device that is not in the table, or only a part of one (MIG).

    Example:
        >>> peak_tflops('NVIDIA H100 80GB HBM3', 'bfloat16')
        989
    """
    if 'MIG' in device:
        return None
    found = next((peaks for name, peaks in _PEAKS if re.search(name, device)), None)
    if found is None or (precision == 'bfloat16' and found[_TF32] is None):
        return None  # what came before TF32 has no bfloat16 either
    return found[_COLUMNS[precision]] or found[_FULL]
