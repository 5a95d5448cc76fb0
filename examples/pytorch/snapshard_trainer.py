"""Lends a PyTorch model and its optimizer to a Node process, which saves and restores them with Snapshard.

    with SnapshardTrainer(model, optimizer) as trainer:      # SNAPSHARD_SOCKET: where the Node process listens
        restored = trainer.restore()                         # None while there is no checkpoint
        ...
        trainer.save(step, state={"position": position})     # the tensors may change as soon as it returns

Needs PyTorch alone. README.md has the protocol.
"""

import json
import os
import resource
import socket
import warnings

import torch

PROTOCOL_VERSION = 1

DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
    "int64": "I64", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "complex64": "C64", "float8_e5m2": "F8_E5M2", "float8_e4m3fn": "F8_E4M3", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip


class SnapshardError(RuntimeError):
    """What the Node process could not do, in its words. `code` is ERR_SNAPSHARD_…, where the library gave one."""

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


class SnapshardTrainer:
    """The trainer's end of the connection. Not for several threads at once.

    Work on CUDA tensors must be on the current stream, or that stream must wait for it, when save or restore is called.
    """

    def __init__(self, model, optimizer, path=None):
        self._model = model
        self._optimizer = optimizer
        self._shared = {}
        self._events = {}
        self._told = None
        self._failure = None
        raise_descriptor_limit()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path or os.environ["SNAPSHARD_SOCKET"])
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._send(type="hello", version=PROTOCOL_VERSION, pid=os.getpid())

    def save(self, step, state=None):
        """Returns when all has been read, and is written while training goes on. `state` is whatever JSON holds.

        If it fails later than that, a warning tells; if the last save did, close raises SnapshardError.
        """
        self._tell_tensors()
        text = json.dumps({"optimizer": scalars_of(self._model, self._optimizer), "state": state})
        self._send(type="save", step=step, state=text)
        self._await("staged", step)

    def restore(self):
        """Puts the newest checkpoint into the tensors as they lie. Returns its (step, state), or None without one."""
        if not self._optimizer.state:
            materialize(self._optimizer)
        self._tell_tensors()
        self._send(type="restore")
        restored = self._await("restored")
        if restored["step"] is None:
            self._optimizer.state.clear()
            return None
        saved = json.loads(restored["state"])
        if not saved["optimizer"]["states"]:
            self._optimizer.state.clear()
        put_scalars(self._model, self._optimizer, saved["optimizer"])
        return restored["step"], saved["state"]

    def close(self):
        """Waits until all saves are published, or have failed."""
        self._send(type="bye", error=None)
        self._await("bye")
        self._socket.close()
        if self._failure is not None:
            raise self._failure

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _traceback):
        if kind is None:
            self.close()
            return
        try:
            self._send(type="bye", error=f"{kind.__name__}: {error}")
        except ConnectionError:
            pass  # what led here says more
        self._socket.close()

    def _tell_tensors(self):
        """Says where the tensors lie, once and whenever that has changed, and marks what the other side waits for."""
        known, self._shared = self._shared, {}
        tensors = [self._describe(known, *named) for named in named_tensors(self._model, self._optimizer)]
        if tensors != self._told:
            self._send(type="tensors", tensors=tensors)
            self._told = tensors
        for device, (event, _) in self._events.items():
            event.record(torch.cuda.current_stream(device))

    def _describe(self, known, name, group, tensor):
        dtype = DTYPES.get(str(tensor.dtype).removeprefix("torch."))
        if dtype is None or tensor.layout != torch.strided or not tensor.is_contiguous():
            found = f"{tensor.dtype}, {tensor.layout}, shape {list(tensor.shape)}, strides {list(tensor.stride())}"
            raise ValueError(f"{name} cannot be shared: only contiguous tensors of safetensors' dtypes can, not {found}")
        empty = {"file": os.devnull, "offset": 0}
        place = self._share(known, tensor.untyped_storage()) if tensor.nbytes > 0 else empty
        offset = place["offset"] + tensor.storage_offset() * tensor.element_size()
        described = {"name": name, "group": group, "dtype": dtype, "shape": list(tensor.shape), "bytes": tensor.nbytes}
        return described | place | {"offset": offset}

    def _share(self, known, storage):
        """Where another process finds a storage. Each is shared once, and held for as long as the tensors are in it."""
        key = (storage._cdata, storage.data_ptr())
        _, place = known.get(key) or self._shared.get(key) or (storage, self._share_anew(storage))
        self._shared[storage._cdata, storage.data_ptr()] = (storage, place)
        return place

    def _share_anew(self, storage):
        if storage.device.type == "cpu":
            # Moves it to shared memory without a name, which goes with the last process that has it open.
            descriptor, _ = storage._share_fd_cpu_()
            return {"file": f"/proc/{os.getpid()}/fd/{descriptor}", "offset": 0}
        device, handle, _, offset, counter, counter_offset, _, _ = storage._share_cuda_()
        # PyTorch would keep the memory until a reader has counted itself out; ours says `staged` instead.
        storage._release_ipc_counter(counter, counter_offset, device=device)
        return {"device": device, "handle": handle.hex(), "event": self._event_handle(device), "offset": offset}

    def _event_handle(self, device):
        if device not in self._events:
            event = torch.cuda.Event(enable_timing=False, interprocess=True)
            event.record(torch.cuda.current_stream(device))
            self._events[device] = (event, event.ipc_handle().hex())
        return self._events[device][1]

    def _send(self, **message):
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise connection_lost() from error

    def _await(self, kind, step=None):
        """The next message of this kind. Takes note of those before it, which tell how earlier saves ended."""
        while (message := self._receive())["type"] != kind:
            if message["type"] == "published":
                self._failure = None
            elif message["type"] == "failed":
                self._failure = SnapshardError(message["message"], message.get("code"))
                if message["step"] in (None, step):
                    raise self._failure
                warnings.warn(f"Step {message['step']} was not saved: {message['message']}", stacklevel=3)
        return message

    def _receive(self):
        try:
            line = self._lines.readline()
        except OSError as error:
            raise connection_lost() from error
        if not line:
            raise connection_lost()
        return json.loads(line)


def connection_lost():
    return ConnectionError("The Node process that saves this run has closed the connection: it ended, or was killed.")


def raise_descriptor_limit():
    """Each storage of the CPU takes a descriptor, and the usual limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def named_tensors(model, optimizer):
    """Name, group and tensor of all that a run is made of: parameters, buffers, and the optimizer's own tensors."""
    for name, tensor in model.state_dict().items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name} of the model's state is no tensor: give it to save as part of `state`")
        yield name, "model", tensor
    for name, state in named_states(model, optimizer):
        yield from ((f"{name}.{key}", "optimizer", value) for key, value in state.items() if not is_scalar(value))


def named_states(model, optimizer):
    names = {parameter: name for name, parameter in model.named_parameters()}
    for parameter, state in optimizer.state.items():
        if parameter not in names:
            raise ValueError("the optimizer has a parameter that is none of the model's")
        yield names[parameter], state


def is_scalar(value):
    """Such as Adam's step count, which PyTorch keeps on the CPU as a tensor of one element."""
    return not isinstance(value, torch.Tensor) or (value.dim() == 0 and value.device.type == "cpu")


def scalars_of(model, optimizer):
    """What is left of the optimizer's state: learning rates and other options, and step counts."""
    options = [{key: plain(value) for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    states = {
        name: {key: plain(value) for key, value in state.items() if is_scalar(value)}
        for name, state in named_states(model, optimizer)
    }
    return {"options": options, "states": states}


def put_scalars(model, optimizer, scalars):
    for group, options in zip(optimizer.param_groups, scalars["options"], strict=True):
        put_all(group, options)
    for name, state in named_states(model, optimizer):
        put_all(state, scalars["states"][name])


def plain(value):
    return value.item() if isinstance(value, torch.Tensor) else value


def put_all(container, values):
    for key, value in values.items():
        if isinstance(container.get(key), torch.Tensor):
            container[key].fill_(value)
        else:
            container[key] = tuple(value) if isinstance(container.get(key), tuple) else value


def materialize(optimizer):
    """Has the optimizer make its tensors, as it otherwise does in the first step: by a step that changes nothing."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
