"""Classifies the failures of jobs: too little memory, or a broken device."""

from __future__ import annotations

_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "ALLOC_FAILED",
    "bad_alloc",
    "Insufficient memory",
    "unable to find an engine",  # cuDNN, whose workspace finds no room
    "unable to find a valid cuDNN algorithm",
)
_DEVICE = ("CUDA error", "CUDA driver error", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error")


def is_out_of_memory(error: BaseException) -> bool:
    """True if an allocation has failed, on a GPU or on the CPU; the process can go on."""
    if isinstance(error, MemoryError) or _is_a(error, "OutOfMemoryError"):
        return True
    return isinstance(error, Exception) and any(text in str(error) for text in _MEMORY)


def is_device_fault(error: BaseException) -> bool:
    """True if the GPU refuses this process; it then fails every call until the process ends."""
    if is_out_of_memory(error):
        return False
    named = isinstance(error, RuntimeError) and any(text in str(error) for text in _DEVICE)
    return named or _is_a(error, "AcceleratorError")


def _is_a(error: BaseException, name: str) -> bool:
    """By name: torch need not be here."""
    return any(each.__name__ == name for each in type(error).__mro__)
