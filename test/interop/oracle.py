"""Reads checkpoints with the field's own libraries, and tells what it found as JSON on standard output.

oracle.py inventory FOLDER...   every shard of each folder, by `safetensors` itself and as torch tensors
oracle.py dcp FOLDER...         each folder as one state dict, loaded by PyTorch's distributed checkpoint
oracle.py dcp-sharded MESH FOLDER...
                                each folder, loaded by as many processes as the mesh has places ("3", "2x2"), into
                                DTensors that are sharded each along other dimensions; per process
"""

import hashlib
import json
import math
import pathlib
import sys
import tempfile

import safetensors
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

# Formats of safetensors for which torch has no dtype.
NOT_IN_TORCH = {"F6_E2M3", "F6_E3M2"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def torch_bytes(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def describe_shard(path):
    tensors = {}
    for name, tensor in safetensors.deserialize(path.read_bytes()):
        data = bytes(tensor["data"])
        tensors[name] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "sha256": sha256(data)}
    with safetensors.safe_open(path, framework="pt") as shard:
        metadata = shard.metadata()
        if set(shard.keys()) != set(tensors):
            raise ValueError(f"{path}: safe_open lists other tensors than deserialize")
        for name, tensor in tensors.items():
            if tensor["dtype"] in NOT_IN_TORCH:
                continue
            as_torch = shard.get_tensor(name)
            if sha256(torch_bytes(as_torch)) != tensor["sha256"]:
                raise ValueError(f"{path}: {name} differs between torch and safetensors")
            tensor["torch"] = str(as_torch.dtype)
    return {"metadata": metadata, "tensors": tensors}


def inventory(folder):
    return {path.name: describe_shard(path) for path in sorted(pathlib.Path(folder).glob("*.safetensors"))}


def load_dcp(folder):
    reader = dcp.HuggingFaceStorageReader(path=folder)
    stored = reader.read_metadata().state_dict_metadata
    state = {name: torch.zeros(entry.size, dtype=entry.properties.dtype) for name, entry in stored.items()}
    dcp.load(state, storage_reader=reader)
    return {
        name: {"shape": list(tensor.shape), "torch": str(tensor.dtype), "sha256": sha256(torch_bytes(tensor))}
        for name, tensor in state.items()
    }


def placements_of(number, dimensions, mesh):
    """Each tensor differently: along the dimensions in turn, and now and then not at all."""
    turns = [(number + axis) % (dimensions + 1) for axis in range(mesh.ndim)]
    return [Shard(turn) if turn < dimensions else Replicate() for turn in turns]


def empty_shard(number, entry, mesh):
    """This process's part of a tensor, to load into, and where it begins in the whole."""
    dtype = entry.properties.dtype
    if len(entry.size) == 0:
        return torch.zeros([], dtype=dtype), []
    placements = placements_of(number, len(entry.size), mesh)
    shape, offset = compute_local_shape_and_global_offset(entry.size, mesh, placements)
    stride = torch.empty(entry.size, device="meta").stride()
    local = torch.zeros(shape, dtype=dtype)
    return DTensor.from_local(local, mesh, placements, run_check=False, shape=entry.size, stride=stride), list(offset)


def load_sharded(folder, mesh):
    reader = dcp.HuggingFaceStorageReader(path=folder)
    stored = reader.read_metadata().state_dict_metadata
    shards = {name: empty_shard(number, stored[name], mesh) for number, name in enumerate(sorted(stored))}
    state = {name: tensor for name, (tensor, _) in shards.items()}
    dcp.load(state, storage_reader=reader)
    found = {}
    for name, (tensor, offset) in shards.items():
        local = tensor.to_local() if isinstance(tensor, DTensor) else tensor
        found[name] = {"origin": offset, "shape": list(local.shape), "sha256": sha256(torch_bytes(local))}
    return found


def load_as_rank(rank, mesh_shape, folders, meeting, results):
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=math.prod(mesh_shape))
    mesh = init_device_mesh("cpu", mesh_shape)
    results[rank] = [load_sharded(folder, mesh) for folder in folders]
    dist.destroy_process_group()


def load_dcp_sharded(mesh, folders):
    mesh_shape = tuple(int(extent) for extent in mesh.split("x"))
    processes = math.prod(mesh_shape)
    with tempfile.TemporaryDirectory() as scratch, multiprocessing.Manager() as manager:
        results = manager.dict()
        arguments = (mesh_shape, folders, f"{scratch}/meeting", results)
        # Forked, they need not import torch again.
        multiprocessing.start_processes(load_as_rank, arguments, nprocs=processes, start_method="fork")
        return [[results[rank][number] for rank in range(processes)] for number in range(len(folders))]


def main():
    command, *folders = sys.argv[1:]
    if command == "dcp-sharded":
        found = load_dcp_sharded(folders[0], folders[1:])
    else:
        read = {"inventory": inventory, "dcp": load_dcp}[command]
        found = [read(folder) for folder in folders]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
