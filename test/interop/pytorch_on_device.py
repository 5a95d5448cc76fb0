"""A trainer whose tensors are lent from device memory, by a PyTorch that knows no GPU: `pytorch_on_device.py FILE`.

Each CPU storage has a twin in memory of the CUDA driver, or of a double of it. What crosses the connection is what
PyTorch would give: a handle, an offset, and an event that is recorded again for each save.
"""

import ctypes
import hashlib
import json
import pathlib
import sys

import torch
from torch import nn

from snapshard_trainer import SnapshardTrainer, named_tensors

LEAD_BYTES = 512
EVENT_FLAGS = 2 | 4  # no timing, for other processes
MALLOC_PREFIX = b"\x03c"  # how PyTorch 2.13 begins the handle of an allocation


class Driver:
    def __init__(self):
        self._library = ctypes.CDLL("libcuda.so.1")
        context = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.call("cuCtxPushCurrent_v2", context)

    def call(self, name, *arguments):
        result = getattr(self._library, name)(*arguments)
        if result != 0:
            raise RuntimeError(f"{name} answers {result}")

    def made(self, kind, name, *arguments):
        value = kind()
        self.call(name, ctypes.byref(value), *arguments)
        return value

    def handle(self, name, of):
        handle = ctypes.create_string_buffer(64)
        self.call(name, handle, of)
        return handle.raw


class DeviceTrainer(SnapshardTrainer):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._driver = Driver()
        self._stream = self._driver.made(ctypes.c_void_p, "cuStreamCreate", 1)
        self._event = self._driver.made(ctypes.c_void_p, "cuEventCreate", EVENT_FLAGS)
        self._event_handle = self._driver.handle("cuIpcGetEventHandle", self._event).hex()
        self._twins = {}

    def _share_anew(self, storage):
        base = self._driver.made(ctypes.c_uint64, "cuMemAlloc_v2", ctypes.c_size_t(LEAD_BYTES + storage.nbytes()))
        self._twins[storage._cdata] = (storage, ctypes.c_uint64(base.value + LEAD_BYTES))
        handle = MALLOC_PREFIX + self._driver.handle("cuIpcGetMemHandle", base)
        return {"device": 0, "handle": handle.hex(), "event": self._event_handle, "offset": LEAD_BYTES}

    def _send(self, **message):
        if message["type"] in ("save", "restore"):
            self.upload()
            self._driver.call("cuEventRecord", self._event, self._stream)
        super()._send(**message)

    def upload(self):
        for storage, twin in self._twins.values():
            address = ctypes.c_void_p(storage.data_ptr())
            self._driver.call("cuMemcpyHtoDAsync_v2", twin, address, ctypes.c_size_t(storage.nbytes()), self._stream)

    def download(self):
        for storage, twin in self._twins.values():
            address = ctypes.c_void_p(storage.data_ptr())
            self._driver.call("cuMemcpyDtoH_v2", address, twin, ctypes.c_size_t(storage.nbytes()))


def digests(model, optimizer):
    tensors = named_tensors(model, optimizer)
    return {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest() for name, _, tensor in tensors}


def fill(model, optimizer, value):
    for _, _, tensor in named_tensors(model, optimizer):
        tensor.fill_(value)


def main():
    model = nn.Sequential(nn.Linear(1024, 1024), nn.BatchNorm1d(1024))
    optimizer = torch.optim.Adam(model.parameters())
    saved = []
    with DeviceTrainer(model, optimizer) as trainer:
        for step in range(3):
            model(torch.randn(8, 1024)).sum().backward()
            optimizer.step()
            saved.append(digests(model, optimizer))
            trainer.save(step)
            fill(model, optimizer, step)
            trainer.upload()
    with DeviceTrainer(model, optimizer) as trainer:
        step, _ = trainer.restore()
        trainer.download()
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"saved": saved, "step": step, "restored": digests(model, optimizer)}))


if __name__ == "__main__":
    main()
