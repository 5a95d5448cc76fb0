"""PyTorch's side of the tests on a GPU: `torch_trainers.py MODE DEVICE FILE [COUNT]`, examples/pytorch on the path."""

import hashlib
import json
import pathlib
import sys

import torch
from torch import nn

from snapshard_trainer import DTYPES, SnapshardTrainer, named_tensors

STEPS = 4
SHAPES = [(), (1,), (3, 0), (7, 5), (255, 129), (1 << 20,)]


def raw(tensor):
    return tensor.detach().view(-1).view(torch.uint8)


def draw(tensor):
    """Random bytes; a truth value has but two."""
    raw(tensor).random_(0, 2 if tensor.dtype == torch.bool else 256)


def every_dtype(device):
    """Tensors of their own, and parts of one that is between them."""
    model = nn.Module()
    for dtype in DTYPES:
        for number, shape in enumerate(SHAPES):
            model.register_buffer(f"{dtype}-{number}", torch.empty(shape, dtype=getattr(torch, dtype), device=device))
    whole = torch.empty(5_000_003, dtype=torch.uint8, device=device)
    for name, part in (("whole", whole), ("head", whole[:1000]), ("odd", whole[1:4_000_001]), ("tail", whole[-3:])):
        model.register_buffer(name, part)
    return model


def small_tensors(device, count):
    model = nn.Module()
    for number in range(count):
        model.register_buffer(f"layer-{number}", torch.empty(4096, dtype=torch.uint8, device=device))
    return model


def draw_all(model):
    for tensor in model.state_dict().values():
        draw(tensor)


def clones_of(model):
    return {name: raw(tensor).clone() for name, tensor in model.state_dict().items()}


def digests_of(clones):
    return {name: hashlib.sha256(clone.cpu().numpy().tobytes()).hexdigest() for name, clone in clones.items()}


def run(model, told):
    """Overwrites everything as soon as a save returns, with work of the GPU that nobody waits for; then restores."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))])
    kept = []
    with SnapshardTrainer(model, optimizer) as trainer:
        for step in range(STEPS):
            draw_all(model)
            kept.append(clones_of(model))
            trainer.save(step)
        draw_all(model)
    with SnapshardTrainer(model, optimizer) as trainer:
        step, _ = trainer.restore()
        restored = all(torch.equal(clone, kept[-1][name]) for name, clone in clones_of(model).items())
    digests = [digests_of(clones) for clones in kept]
    pathlib.Path(told).write_text(json.dumps({"digests": digests, "restored": restored, "step": step}))


def dtypes(device, told):
    run(every_dtype(device), told)


def many(device, told, count):
    run(small_tensors(device, int(count)), told)


def trained(device, told):
    """A real model, of which each step changes all parameters and moments as soon as the save before returns."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(1024, 4096), nn.GELU(), nn.Linear(4096, 1024)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    kept = []
    with SnapshardTrainer(model, optimizer) as trainer:
        for step in range(STEPS):
            model(torch.randn(64, 1024, device=device)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            kept.append({name: raw(tensor).clone() for name, _, tensor in named_tensors(model, optimizer)})
            trainer.save(step)
    pathlib.Path(told).write_text(json.dumps({"digests": [digests_of(clones) for clones in kept]}))


def made(device, path):
    """A file of PyTorch's own, with all of this."""
    from safetensors.torch import save_file

    model = every_dtype(device)
    draw_all(model)
    save_file({name: tensor.clone() for name, tensor in model.state_dict().items()}, path)


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    globals()[mode](*arguments)
