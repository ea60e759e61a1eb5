"""PyTorch's side of scripts/gpu-check: NET MODE BATCH THREADS VARIANT; measures for S seconds at each line "S" on stdin.

NET textbook|cnn6|resnet9|speed94, MODE train|infer, VARIANT cuda-bf16|cuda-fp16|cuda-bf16-compile: autocast, channels last, samples on the GPU already. Prints images a second.
"""
import sys
import time

import torch
from torch import nn

from torch_nets import network


def main():
    name, mode, batch, threads, variant = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = network(name)
    x = torch.randn(batch, 3, 32, 32)
    y = torch.randint(0, 10, (batch,))
    if variant == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    gpu = variant.startswith("cuda")
    if gpu:
        net, x, y = net.to("cuda", memory_format=torch.channels_last), x.cuda().to(memory_format=torch.channels_last), y.cuda()
    dtype = torch.float16 if "fp16" in variant else torch.bfloat16
    cast = torch.autocast("cuda" if gpu else "cpu", dtype, enabled=gpu)
    scaler = torch.amp.GradScaler("cuda", enabled=gpu and dtype == torch.float16)
    call = torch.compile(net) if variant.endswith("compile") else net
    if mode == "train":
        net.train()
        trained = [p for p in net.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4)

        def step():
            with cast:
                loss = nn.functional.cross_entropy(call(x), y)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    else:
        net.eval()

        def step():
            with torch.inference_mode(), cast:
                call(x)
    for _ in range(3):
        step()
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        seconds, steps, begun = float(line), 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            step()
            steps += 1
            if gpu and steps % 10 == 0:
                torch.cuda.synchronize()
        if gpu:
            torch.cuda.synchronize()
        print(steps * batch / (time.perf_counter() - begun), flush=True)


main()
