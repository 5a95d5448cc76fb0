"""Reads checkpoints with the field's own libraries, and tells what it found as JSON on standard output.

oracle.py inventory FOLDER...   every shard of each folder, by `safetensors` itself and as torch tensors
oracle.py dcp FOLDER...         each folder as one state dict, loaded by PyTorch's distributed checkpoint
"""

import hashlib
import json
import pathlib
import sys

import safetensors
import torch
import torch.distributed.checkpoint as dcp

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


def main():
    command, *folders = sys.argv[1:]
    read = {"inventory": inventory, "dcp": load_dcp}[command]
    json.dump([read(folder) for folder in folders], sys.stdout)


main()
