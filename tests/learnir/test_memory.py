import cv2
import pytest
import torch

from learnir.memory import out_of_memory, with_smaller_sizes


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_sizes_halve_until_they_fit(error):
    tried = []

    def run(size):
        tried.append(size)
        if size > 100:
            raise error
        return size

    assert with_smaller_sizes(run, 512) == 64
    assert tried == [512, 256, 128, 64]
    tried.clear()
    assert with_smaller_sizes(run, 320, 256) == 64
    assert tried == [320, 256, 128, 64]


def test_other_errors_and_the_smallest_size_give_up():
    def fails(size):
        raise RuntimeError("out of memory")

    def breaks(size):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="out of memory"):
        with_smaller_sizes(fails, 256)
    with pytest.raises(RuntimeError, match="shapes"):
        with_smaller_sizes(breaks, 256)
    assert not out_of_memory(ValueError("no"))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        cv2.error("OpenCV(4.12.0) error: (-4:Insufficient memory) Failed to allocate"),
        MemoryError(),
    ],
)
def test_memory_runs_out_in_many_words(error):
    def run(size):
        if size > 100:
            raise error
        return size

    assert with_smaller_sizes(run, 320) == 80
