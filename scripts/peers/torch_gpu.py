"""PyTorch's side of scripts/gpu-check: NET BATCH bf16|fp16 eager|compile; measures for S seconds at each line "S" on stdin.

Training with autocast, channels last, samples on the GPU already. Prints images a second.
"""
import sys
import time

import torch
from torch import nn

from torch_nets import network


def main():
    name, batch, precision, variant = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    torch.manual_seed(0)
    net = network(name).to("cuda", memory_format=torch.channels_last).train()
    x = torch.randn(batch, 3, 32, 32, device="cuda").to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (batch,), device="cuda")
    scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")
    call = torch.compile(net) if variant == "compile" else net
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step():
        with torch.autocast("cuda", torch.float16 if precision == "fp16" else torch.bfloat16):
            loss = nn.functional.cross_entropy(call(x), y)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    for _ in range(3):
        step()
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        seconds, steps, begun = float(line), 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            step()
            steps += 1
            if steps % 10 == 0:
                torch.cuda.synchronize()
        torch.cuda.synchronize()
        print(steps * batch / (time.perf_counter() - begun), flush=True)


main()
