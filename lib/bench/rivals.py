"""What Python saves checkpoints with, measured in a process of its own.

    rivals.py check     prints, as JSON, which ways there are, or what is missing, and versions
    rivals.py save      is asked, and answers, by JSON lines over the descriptor that NODE_CHANNEL_FD names (lib/bench/child.ts)

A save is durable at its end: each file and each folder has been synced. Imports are not part of it.
"""

import importlib
import importlib.metadata
import json
import os
import pathlib
import socket
import sys
import threading
import time
import warnings

PATTERN_ELEMENTS = 1 << 24
WEIGHT_DEVIATION = 0.02


class Channel:
    """To the process that started this one, and which this one does not outlive."""

    def __init__(self):
        self._file = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"])).makefile("rw")
        self._start = threading.Event()
        self._start_at_ms = 0.0
        self.input = json.loads(self._file.readline())["input"]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._file:
            self._start_at_ms = json.loads(line)["startAt_ms"]
            self._start.set()
        os._exit(1)

    def ready(self):
        self.tell({"ready": True})
        self._start.wait()
        time.sleep(max(0.0, self._start_at_ms / 1000 - time.time()))

    def tell(self, message):
        self._file.write(json.dumps(message) + "\n")
        self._file.flush()


def make_state(tensors, seed):
    """Arrays of bytes by name, drawn like weights, no two alike."""
    import numpy

    numbers = numpy.random.default_rng(seed).standard_normal(PATTERN_ELEMENTS, numpy.float32) * WEIGHT_DEVIATION
    patterns = {
        "BF16": (numbers.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8),
        "F16": numbers.astype(numpy.float16).view(numpy.uint8),
        "BOOL": numpy.random.default_rng(seed).integers(0, 2, PATTERN_ELEMENTS, numpy.uint8),
    }
    others = numbers.view(numpy.uint8)
    return {
        tensor["name"]: fill(numpy.empty(tensor["bytes"], numpy.uint8), patterns.get(tensor["dtype"], others), index)
        for index, tensor in enumerate(tensors)
    }


def fill(data, pattern, index):
    start = index * 1_048_583 % (len(pattern) // 2) // 16 * 16
    at = 0
    while at < len(data):
        piece = pattern[start : start + len(data) - at]
        data[at : at + len(piece)] = piece
        at += len(piece)
        start = 0
    return data


TORCH_TYPES = {
    "BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
}  # fmt: skip


def as_torch(tensors, state, device):
    """What PyTorch has no type for stays bytes."""
    import torch

    views = {}
    for tensor in tensors:
        name, kind = tensor["name"], TORCH_TYPES.get(tensor["dtype"])
        data = torch.from_numpy(state.pop(name))
        views[name] = (data if kind is None else data.view(getattr(torch, kind)).reshape(tensor["shape"])).to(device)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return views


def as_jax(tensors, state):
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import ml_dtypes

    jax.config.update("jax_enable_x64", True)
    arrays = {}
    for tensor in tensors:
        name, kind = tensor["name"], TORCH_TYPES.get(tensor["dtype"])
        data = state.pop(name)
        typed = data if kind is None else data.view(getattr(ml_dtypes, kind, kind)).reshape(tensor["shape"])
        arrays[name] = jax.numpy.asarray(typed)
    return arrays


def nothing():
    return None


def with_torch_save(_options):
    import torch

    def save(state, path):
        torch.save(state, path)
        return nothing

    return save


def with_save_file(_options):
    from safetensors.torch import save_file

    def save(state, path):
        save_file(state, path)
        return nothing

    return save


def with_dcp(threads):
    def prepare(_options):
        import torch.distributed.checkpoint as dcp

        def save(state, path):
            writer = dcp.FileSystemWriter(path, thread_count=threads, sync_files=True)
            dcp.save(state, storage_writer=writer, no_dist=True)
            return nothing

        return save

    return prepare


def with_dcp_hugging_face(_options):
    import torch.distributed.checkpoint as dcp

    def save(state, path):
        dcp.save(state, storage_writer=dcp.HuggingFaceStorageWriter(path=str(path)), no_dist=True)
        return nothing

    return save


def with_async_save(options):
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

    cuda = options["device"].startswith("cuda")
    staging = StagingOptions(
        use_pinned_memory=cuda, use_shared_memory=False, use_async_staging=cuda, use_non_blocking_copy=cuda
    )
    stager = DefaultStager(staging)

    def save(state, path):
        writer = dcp.FileSystemWriter(path, sync_files=True)
        answer = dcp.async_save(state, storage_writer=writer, async_stager=stager, no_dist=True)
        if not cuda:
            return answer.result
        answer.staging_completion.result()
        return answer.upload_completion.result

    return save


def with_orbax(_options):
    import orbax.checkpoint as ocp

    checkpointer = ocp.StandardCheckpointer()

    def save(state, path):
        checkpointer.save(path, state)
        return checkpointer.wait_until_finished

    return save


# What each way is called, what it imports, and what is installed for it.
WAYS = {
    "torch.save": (with_torch_save, ["torch"], "torch numpy"),
    "save_file": (with_save_file, ["torch", "safetensors.torch"], "torch numpy safetensors"),
    "dcp": (with_dcp(1), ["torch.distributed.checkpoint"], "torch numpy"),
    "dcp-2": (with_dcp(2), ["torch.distributed.checkpoint"], "torch numpy"),
    "dcp-hf": (with_dcp_hugging_face, ["torch.distributed.checkpoint.hf_storage", "safetensors"], "torch numpy safetensors"),
    "async_save": (with_async_save, ["torch.distributed.checkpoint.staging"], "torch numpy"),
    "orbax": (with_orbax, ["jax", "ml_dtypes", "orbax.checkpoint"], "orbax-checkpoint"),
}


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


def status_bytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def forget_peak():
    with open("/proc/self/clear_refs", "w") as control:
        control.write("5")


def cpu_seconds():
    return sum(os.times()[:4])


def measure(save, state, path):
    started_ms = time.time() * 1000
    cpu_before, start = cpu_seconds(), time.perf_counter()
    wait = save(state, path)
    paused = time.perf_counter()
    wait()
    written = time.perf_counter()
    sync_all(path)
    durable = time.perf_counter()
    return {
        "startedAt_ms": started_ms,
        "pauseSeconds": paused - start,
        "writtenSeconds": written - start,
        "seconds": durable - start,
        "cpuSeconds": cpu_seconds() - cpu_before,
    }


def run(channel):
    options = channel.input
    tensors, device = options["tensors"], options["device"]
    state = make_state(tensors, options["seed"])
    size = sum(len(data) for data in state.values())
    save = WAYS[options["way"]][0](options)
    state = as_jax(tensors, state) if options["way"] == "orbax" else as_torch(tensors, state, device)
    before = status_bytes("VmRSS")
    forget_peak()
    channel.ready()
    folder = pathlib.Path(options["folder"])
    saves = []
    for step in range(1, options["saves"] + 1):
        measured = measure(save, state, folder / f"step-{step}")
        saves.append({"bytes": size, "peakBytes": max(0, status_bytes("VmHWM") - before), **measured})
    return {"saves": saves}


def answer():
    channel = Channel()
    try:
        channel.tell({"result": run(channel)})
    except Exception as error:
        channel.tell({"failure": {"message": f"{type(error).__name__}: {error}"}})


def missing_import(modules):
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            return str(error).splitlines()[0]
    return None


def check():
    ways = {}
    for way, (_, modules, packages) in WAYS.items():
        ways[way] = {"missing": missing_import(modules), "packages": packages}
    versions = {}
    for package in ("torch", "safetensors", "orbax-checkpoint", "jax"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    own = sys.prefix != sys.base_prefix
    gpu = "torch" in sys.modules and sys.modules["torch"].cuda.is_available()
    print(json.dumps({"python": sys.version.split()[0], "own": own, "gpu": gpu, "ways": ways, "versions": versions}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    check() if sys.argv[1:] == ["check"] else answer()
