"""Trainers that do what good ones do not: `pytorch_trainers.py MODE DEVICE [FILE]`. examples/pytorch is on the path."""

import hashlib
import json
import os
import pathlib
import signal
import sys

import torch
from torch import nn

import snapshard_trainer
import train
from snapshard_trainer import SnapshardTrainer, named_tensors


def small_run(device, width=8):
    torch.manual_seed(1)
    model = nn.Linear(width, 8).to(device)
    return model, torch.optim.Adam(model.parameters())


def digests(model, optimizer):
    tensors = named_tensors(model, optimizer)
    return {name: hashlib.sha256(tensor.cpu().numpy().tobytes()).hexdigest() for name, _, tensor in tensors}


def killed(device, marker):
    """train.py, which is killed in step 37, once."""
    whole_step = train.train_step

    def step_or_die(*arguments):
        step_or_die.count += 1
        if step_or_die.count == 37 and not os.path.exists(marker):
            pathlib.Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return whole_step(*arguments)

    step_or_die.count = 0
    train.train_step = step_or_die
    sys.argv[1:] = ["--device", device]
    train.main()


def overwriting(device, told):
    """Overwrites everything as soon as a save returns, and puts some tensors elsewhere."""
    model, optimizer = nn.Linear(4096, 2048).to(device), None
    optimizer = torch.optim.Adam(model.parameters())
    saved = []
    with SnapshardTrainer(model, optimizer) as trainer:
        for step in range(3):
            model(torch.randn(8, 4096, device=device)).sum().backward()
            optimizer.step()
            saved.append(digests(model, optimizer))
            trainer.save(step)
            for _, _, tensor in named_tensors(model, optimizer):
                tensor.fill_(-1)
            model.weight.data = torch.randn(2048, 4096, device=device)
    pathlib.Path(told).write_text(json.dumps(saved))


def dying_in_save(device):
    model, optimizer = small_run(device)
    trainer = SnapshardTrainer(model, optimizer)
    trainer._await = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    trainer.save(1)


def strided(device):
    model, optimizer = small_run(device)
    model.weight.data = model.weight.data.t()
    with SnapshardTrainer(model, optimizer) as trainer:
        trainer.save(1)


def wrong_step(device):
    model, optimizer = small_run(device)
    with SnapshardTrainer(model, optimizer) as trainer:
        try:
            trainer.save(-1)
        except RuntimeError as error:
            raise KeyError(error.code) from error


def other_version(device, told):
    model, optimizer = small_run(device)
    snapshard_trainer.PROTOCOL_VERSION = 0
    with SnapshardTrainer(model, optimizer) as trainer:
        try:
            trainer.save(1)
        except RuntimeError as error:
            pathlib.Path(told).write_text(json.dumps(str(error)))
            raise


def other_model(device):
    model, optimizer = small_run(device)
    with SnapshardTrainer(model, optimizer) as trainer:
        trainer.restore()
        trainer.save(1)
    model, optimizer = small_run(device, width=16)
    with SnapshardTrainer(model, optimizer) as trainer:
        trainer.restore()


def aliasing(device, told):
    """Tied weights, a part of a tensor, nothing, a scalar, and dtypes that NumPy lacks; all of it put back."""
    model = nn.Module()
    model.tied = model.weight = nn.Parameter(torch.randn(4, 4, device=device))
    whole = torch.randn(6, 4, dtype=torch.bfloat16, device=device)
    for name, buffer in (("part", whole[2:5]), ("none", whole[:0]), ("scalar", torch.tensor(7, device=device))):
        model.register_buffer(name, buffer)
    optimizer = torch.optim.SGD([model.weight], momentum=0.9)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with SnapshardTrainer(model, optimizer) as trainer:
        assert trainer.restore() is None
        trainer.save(1, state=[float("nan"), None])
    for tensor in model.state_dict().values():
        tensor.zero_()
    whole.fill_(3)
    with SnapshardTrainer(model, optimizer) as trainer:
        step, state = trainer.restore()
    equal = {name: torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()}
    beside = bool((whole[:2] == 3).all() and (whole[5:] == 3).all())
    tied = model.tied is model.weight
    pathlib.Path(told).write_text(json.dumps({"equal": equal, "beside": beside, "tied": tied, "step": step}))


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    globals()[mode](*arguments)
