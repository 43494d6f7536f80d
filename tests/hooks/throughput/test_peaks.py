"""Peaks of devices by the names that CUDA gives them."""

from pmd_mmaction.hooks.throughput.peaks import peak_tflops
from tests.every import every


@every(
    'row',
    [
        ('NVIDIA H100 80GB HBM3', 'bfloat16', 989),
        ('NVIDIA H100 80GB HBM3', 'tf32', 494),
        ('NVIDIA H100 PCIe', 'float16', 756),
        ('NVIDIA H100 NVL', 'bfloat16', 835),
        ('NVIDIA H200', 'bfloat16', 989),
        ('NVIDIA A100-SXM4-80GB', 'bfloat16', 312),
        ('NVIDIA A100-PCIE-40GB', 'float32', 19.5),
        ('Tesla V100-SXM2-32GB', 'float16', 125),
        ('Tesla V100-PCIE-16GB', 'float16', 112),
        ('Tesla V100-SXM2-32GB', 'tf32', 15.7),
        ('Tesla V100-SXM2-32GB', 'bfloat16', None),
        ('NVIDIA GeForce RTX 4090', 'bfloat16', 165.2),
        ('NVIDIA GeForce RTX 4090 Laptop GPU', 'bfloat16', None),
        ('NVIDIA A100-SXM4-40GB MIG 1g.5gb', 'bfloat16', None),
        ('NVIDIA H20', 'bfloat16', None),
        ('NVIDIA A1000', 'bfloat16', None),
        ('AMD Instinct MI300X', 'bfloat16', None),
    ],
)
def test_peaks(row):
    device, precision, peak = row
    assert peak_tflops(device, precision) == peak
