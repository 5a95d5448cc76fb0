"""Writes checkpoints with the field's own libraries into a folder, and tells what is in them as JSON on standard output.

foreign_writer.py FOLDER RANKS   RANKS processes save the distributed ones together

lone.safetensors                 safetensors.torch.save_file
single/                          PyTorch DCP, one process: an index
sharded/                         PyTorch DCP, each process its own shards
consolidated/                    the same, put together by PyTorch
cache/models--x/snapshots/main/  `single` as the cache of Hugging Face keeps it
"""

import hashlib
import json
import os
import pathlib
import sys

import safetensors.torch
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

NAMES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.complex64: "C64",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}
# PyTorch 2.13 puts together no other dtypes again, and no scalars.
CONSOLIDATED = [torch.float32, torch.float16, torch.bfloat16, torch.float64]


def tensor_bytes(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def random_tensor(dtype, shape, generator):
    count = torch.zeros(shape, dtype=dtype).nbytes
    data = torch.randint(0, 2 if dtype == torch.bool else 256, (count,), dtype=torch.uint8, generator=generator)
    return data.view(dtype).reshape(shape)


def make_matrices(dtypes):
    """The same in every process."""
    generator = torch.Generator().manual_seed(7)
    return {f"matrix.{NAMES[dtype]}": random_tensor(dtype, (37, 12), generator) for dtype in dtypes}


def make_state():
    generator = torch.Generator().manual_seed(8)
    return {
        **make_matrices(NAMES),
        "scalar": random_tensor(torch.float32, (), generator),
        "step": random_tensor(torch.int64, (), generator),
        'names/\u00fcn\u00efc\u00f6d\u00e9 "q" \U0001d6fc': random_tensor(torch.int64, (5, 3, 2), generator),
    }


def describe(state):
    return {
        name: {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "sha256": hashlib.sha256(tensor_bytes(tensor)).hexdigest(),
        }
        for name, tensor in state.items()
    }


def distribute(state, mesh):
    """Rows, columns and replicas in turn, none of which need divide evenly."""
    placements = [Shard(0), Shard(1), Replicate()]
    sharded = {}
    for index, (name, tensor) in enumerate(state.items()):
        placement = placements[index % 3] if tensor.dim() > 1 else Replicate()
        sharded[name] = distribute_tensor(tensor, mesh, [placement], src_data_rank=None)
    return sharded


def save_together(rank, ranks, folder):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    plain = dcp.HuggingFaceStorageWriter(path=f"{folder}/sharded", save_distributed=True)
    dcp.save(distribute(make_state(), mesh), storage_writer=plain)
    together = dcp.HuggingFaceStorageWriter(
        path=f"{folder}/consolidated", save_distributed=True, enable_consolidation=True
    )
    dcp.save(distribute(make_matrices(CONSOLIDATED), mesh), storage_writer=together)
    dist.destroy_process_group()


def save_alone(folder):
    state = make_state()
    state["empty"] = torch.zeros((3, 0, 2))
    safetensors.torch.save_file(state, f"{folder}/lone.safetensors", metadata={"format": "pt", "epoch": "3"})
    files = {name: 1 + index % 2 for index, name in enumerate(state)}
    dcp.save(
        state,
        storage_writer=dcp.HuggingFaceStorageWriter(path=f"{folder}/single", fqn_to_index_mapping=files),
        no_dist=True,
    )
    return state


def link_cache(folder):
    """As huggingface_hub does: files by their digest, and links to them by their names."""
    cache = pathlib.Path(folder, "cache", "models--x")
    blobs, snapshot = cache / "blobs", cache / "snapshots" / "main"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for path in pathlib.Path(folder, "single").iterdir():
        data = path.read_bytes()
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        (snapshot / path.name).symlink_to(f"../../blobs/{name}")


def main():
    folder, ranks = sys.argv[1], int(sys.argv[2])
    alone = describe(save_alone(folder))
    link_cache(folder)
    torch.multiprocessing.spawn(save_together, (ranks, folder), ranks)
    sharded = describe(make_state())
    consolidated = describe(make_matrices(CONSOLIDATED))
    json.dump(
        {
            "lone.safetensors": alone,
            "single": alone,
            "cache/models--x/snapshots/main": alone,
            "sharded": sharded,
            "consolidated": consolidated,
            "consolidated/sharded": consolidated,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
