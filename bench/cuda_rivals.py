"""What PyTorch saves with, measured by `bench -- cuda`: two saves of the same tensors, both durable at their end.

    cuda_rivals.py torch.save|async_save|save_file FOLDER --bytes N --tensors N [--device cuda:0] [--start-at-ms UNIX]

Prints {"bytes", "saves": [{"stagedSeconds", "seconds", "cpuSeconds"}, …]}: until the tensors may change, and until
durable.
"""

import argparse
import json
import os
import pathlib
import time

import torch


def make_state(count, size, device):
    elements = size // count // 2
    integers = torch.iinfo(torch.int16)
    tensors = (
        torch.randint(integers.min, integers.max, (elements,), dtype=torch.int16, device=device) for _ in range(count)
    )
    return {f"layers.{index}.weight": tensor.view(torch.bfloat16) for index, tensor in enumerate(tensors)}


def with_torch_save(state, _device):
    def save(path):
        torch.save(state, path)
        return lambda: None

    return save


def with_save_file(state, _device):
    from safetensors.torch import save_file

    def save(path):
        save_file(state, path)
        return lambda: None

    return save


def with_async_save(state, device):
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

    cuda = device.startswith("cuda")
    options = StagingOptions(
        use_pinned_memory=cuda, use_shared_memory=False, use_async_staging=cuda, use_non_blocking_copy=cuda
    )
    stager = DefaultStager(options)

    def save(path):
        writer = dcp.FileSystemWriter(path, sync_files=True)
        answer = dcp.async_save(state, storage_writer=writer, async_stager=stager, no_dist=True)
        if not cuda:
            return answer.result
        answer.staging_completion.result()
        return answer.upload_completion.result

    return save


WAYS = {"torch.save": with_torch_save, "save_file": with_save_file, "async_save": with_async_save}


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def sync_all(path):
    for parent, _, names in os.walk(path):
        for name in names:
            sync(os.path.join(parent, name))
        sync(parent)
    if path.is_file():
        sync(path)
    sync(path.parent)


def measure(save, path):
    cpu_before, start = time.process_time(), time.perf_counter()
    wait = save(path)
    staged = time.perf_counter()
    wait()
    sync_all(path)
    durable = time.perf_counter()
    cpu_seconds = time.process_time() - cpu_before
    return {"stagedSeconds": staged - start, "seconds": durable - start, "cpuSeconds": cpu_seconds}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--tensors", type=int, required=True)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--start-at-ms", type=float, default=0)
    options = parser.parse_args()

    state = make_state(options.tensors, options.bytes, options.device)
    if options.device.startswith("cuda"):
        torch.cuda.synchronize()
    size = sum(tensor.nbytes for tensor in state.values())
    save = WAYS[options.way](state, options.device)
    time.sleep(max(0, options.start_at_ms / 1000 - time.time()))
    saves = [measure(save, options.folder / f"step-{step}") for step in (1, 2)]
    print(json.dumps({"bytes": size, "saves": saves}))


if __name__ == "__main__":
    main()
