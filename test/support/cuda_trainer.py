"""A trainer that has memory on a GPU, and lets another process save it: by nothing but the driver.

First it tells its handles, then it does what its lines of input say, and answers each with a line.
"""

import ctypes
import hashlib
import json
import sys

BYTES = int(sys.argv[1])
driver = ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)
Handle = ctypes.c_char * 64
INTERPROCESS_EVENT = 4 | 2


def call(name, *arguments):
    result = getattr(driver, name)(*arguments)
    if result != 0:
        raise SystemExit(f"{name} answered {result}")


class Trainer:
    def __init__(self):
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.memory, self.stream, self.event = ctypes.c_uint64(), ctypes.c_void_p(), ctypes.c_void_p()
        call("cuInit", ctypes.c_uint(0))
        call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        call("cuCtxPushCurrent_v2", context)
        call("cuMemAlloc_v2", ctypes.byref(self.memory), ctypes.c_size_t(BYTES))
        call("cuStreamCreate", ctypes.byref(self.stream), ctypes.c_uint(1))
        call("cuEventCreate", ctypes.byref(self.event), ctypes.c_uint(INTERPROCESS_EVENT))
        self.host = []

    def handles(self):
        memory, event = Handle(), Handle()
        call("cuIpcGetMemHandle", ctypes.byref(memory), self.memory)
        call("cuIpcGetEventHandle", ctypes.byref(event), self.event)
        return {"memory": memory.raw.hex(), "event": event.raw.hex()}

    def write(self, value):
        """Asked for, not waited for; the event is behind it."""
        self.host.append(ctypes.create_string_buffer(bytes([int(value)]) * BYTES, BYTES))
        call("cuMemcpyHtoDAsync_v2", self.memory, self.host[-1], ctypes.c_size_t(BYTES), self.stream)
        call("cuEventRecord", self.event, self.stream)

    def wait(self):
        call("cuStreamSynchronize", self.stream)

    def hold(self, holds):
        """Of the double alone: the stream does not begin what is waiting in it."""
        driver.cuda_double_hold_stream(self.stream, ctypes.c_int(int(holds)))

    def sha256(self):
        copy = ctypes.create_string_buffer(BYTES)
        call("cuMemcpyDtoHAsync_v2", copy, self.memory, ctypes.c_size_t(BYTES), self.stream)
        self.wait()
        return hashlib.sha256(copy.raw).hexdigest()

    def free(self):
        call("cuMemFree_v2", self.memory)


def tell(answer):
    print(json.dumps(answer), flush=True)


trainer = Trainer()
tell(trainer.handles())
for line in sys.stdin:
    command, *arguments = line.split()
    tell(getattr(trainer, command)(*arguments))
