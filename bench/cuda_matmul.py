"""Multiplies matrices, for `bench -- cuda`: for each line on standard input, for that many seconds.

    cuda_matmul.py [--device cuda:0] [--size 8192]

Prints `ready`, and for each line {"products", "seconds"}.
"""

import argparse
import json
import sys
import time

import torch

BATCH = 16


def multiply(left, right, product, synchronize):
    for _ in range(BATCH):
        torch.matmul(left, right, out=product)
    synchronize()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--size", type=int, default=8192)
    options = parser.parse_args()

    shape = (options.size, options.size)
    left, right = (torch.randn(shape, device=options.device).to(torch.bfloat16) for _ in range(2))
    product = torch.empty_like(left)
    synchronize = torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None
    for _ in range(4):
        multiply(left, right, product, synchronize)
    print("ready", flush=True)
    for line in sys.stdin:
        products, start = 0, time.perf_counter()
        while (seconds := time.perf_counter() - start) < float(line):
            multiply(left, right, product, synchronize)
            products += BATCH
        print(json.dumps({"products": products, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
