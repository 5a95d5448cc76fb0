"""A small model, trained on random tasks, saved as it goes and continued where it was: what train loops of PyTorch do.

    train.py --steps 60 --save-every 10 [--device cuda]
"""

import argparse
import os

import torch
from torch import nn

from snapshard_trainer import SnapshardTrainer

# On CUDA, equal sums in every run: so that a resumed run can be compared with one that was not interrupted.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
torch.use_deterministic_algorithms(True)

INPUTS, HIDDEN, CLASSES, BATCH = 64, 256, 10, 128


def make_model():
    return nn.Sequential(
        nn.Linear(INPUTS, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN, CLASSES)
    )


def train_step(model, optimizer, schedule, device):
    inputs = torch.randn(BATCH, INPUTS).to(device)
    targets = inputs[:, :CLASSES].argmax(dim=1)
    loss = nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    return loss.item()


def random_state():
    """Of the CPU and of every GPU: data and dropout are drawn from it."""
    return [bytes(state.tolist()).hex() for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def put_random_state(states):
    cpu, *devices = (torch.tensor(list(bytes.fromhex(state)), dtype=torch.uint8) for state in states)
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(devices)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--save-every", type=int, default=10)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()

    torch.manual_seed(2026)
    model = make_model().to(options.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    step = 0
    with SnapshardTrainer(model, optimizer) as trainer:
        if (restored := trainer.restore()) is not None:
            step, state = restored
            schedule.load_state_dict(state["schedule"])
            put_random_state(state["random"])
            print(f"continues at step {step}", flush=True)
        while step < options.steps:
            loss = train_step(model, optimizer, schedule, options.device)
            step += 1
            if step % options.save_every == 0:
                trainer.save(step, state={"schedule": schedule.state_dict(), "random": random_state()})
                print(f"step {step:4}   loss {loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
