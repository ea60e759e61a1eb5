"""PyTorch's side of scripts/bench: NET MODE PRECISION THREADS VARIANT DUMP; measures for S seconds at each line "S".

MODE train|infer|latency, PRECISION fp32|bf16 (autocast), VARIANT plain|channels_last|compile. Prints "ready VERSION
DIFFERENCE", the largest relative difference of logits, or of the first losses, from those in DUMP; then images a second,
or the median microseconds of one call (latency).
"""
import contextlib
import sys

import numpy
import torch
from torch import nn

from serve import serve
from torch_muon import Muon
from torch_nets import inputs, load, network, read_dump


def optimizers(net, muon):
    trained = [p for p in net.parameters() if p.requires_grad]
    kernels = [p for p in trained if muon and p.dim() == 4]
    rest = [p for p in trained if not (muon and p.dim() == 4)]
    sgd = torch.optim.SGD(rest, lr=1e-3, momentum=0.85 if muon else 0.9, nesterov=True, weight_decay=5e-4)
    return [sgd] + ([Muon(kernels, 0.01, 0.9, 5e-4)] if kernels else [])


def main():
    name, mode, precision, threads, variant, path = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:]
    torch.set_num_threads(threads)
    dump = read_dump(path)
    net, x, y = load(network(name), dump), inputs(dump), torch.from_numpy(dump["labels"].astype(numpy.int64))
    if variant == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    call = torch.compile(net) if variant == "compile" else net
    autocast = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    if mode == "train":
        net.train()
        chosen = optimizers(net, name == "speed94")

        def step():
            with autocast:
                loss = nn.functional.cross_entropy(call(x), y)
            net.zero_grad(set_to_none=True)
            loss.backward()
            for optimizer in chosen:
                optimizer.step()
            return loss

        found, expected = numpy.array([float(step().detach()) for _ in range(3)]), dump["losses"]
    else:
        net.eval()

        def step():
            with torch.inference_mode(), autocast:
                return call(x)

        found, expected = [step() for _ in range(3)][-1].float().numpy(), dump["logits"]
    serve(torch.__version__, step, len(x), mode == "latency", found, expected)


main()
