"""PyTorch's side of `scripts/bench recipe`: FOLDER PRECISION THREADS SEED EPOCHS, from archives to accuracy.

The recipe of Jordan's airbench94 with Muon, as `lepton-train --net speed94` has it: FOLDER's train.tar.gz and
test.tar.gz (CLASS/FILE.jpg) are decoded by Pillow, the network trained on the CPU, and the test images answered with
and without views. bf16 is autocast, channels last. Prints "preparation S training S evaluation S plain A views A".
"""
import contextlib
import io
import os
import sys
import tarfile
import time

import numpy
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from torch_muon import Muon
from torch_nets import network

BATCH, SMOOTHING, SHIFT, WHITENED = 2000, 0.2, 2, 5000
MUON = {"lr": 0.24, "momentum": 0.6, "decay": 0.0}
BIAS_LR, HEAD_LR, DECAY, BIAS_EPOCHS = 0.053, 0.67, 2e-6 * BATCH, 3


def read(path):
    images, classes = [], []
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():
                image = Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB")
                images.append(numpy.asarray(image))
                classes.append(os.path.basename(os.path.dirname(member.name)))
    return numpy.stack(images), numpy.array(classes)


def prepare(folder):
    (train, train_classes), (test, test_classes) = (read(os.path.join(folder, f"{part}.tar.gz")) for part in ("train", "test"))
    names = sorted(set(train_classes))
    mean, std = train.mean((0, 1, 2)), train.std((0, 1, 2))

    def tensors(images, classes):
        x = torch.from_numpy(((images - mean) / std).astype(numpy.float32)).permute(0, 3, 1, 2)
        return x.contiguous(memory_format=torch.channels_last), torch.tensor([names.index(c) for c in classes])

    return *tensors(train, train_classes), *tensors(test, test_classes)


def set_up(images):
    net = network("speed94")
    convs = [module for module in net if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for conv in convs[1:]:
            nn.init.dirac_(conv.weight[:conv.in_channels])
        net[-2].weight.div_(net[-2].weight.std())
        patches = functional.unfold(images[:WHITENED], 2).transpose(1, 2).reshape(-1, 12).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (values + 5e-4).sqrt()).T.reshape(12, 3, 2, 2).float()
        convs[0].weight.copy_(torch.cat([filters, -filters]))
        convs[0].bias.zero_()
    for module in net:
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.4
    return net.to(memory_format=torch.channels_last)


def groups(net):
    biases = [module.bias for module in net if isinstance(module, nn.BatchNorm2d)]
    kernels = [module.weight for module in net if isinstance(module, nn.Conv2d) and module.weight.requires_grad]
    plain = torch.optim.SGD([{"params": [net[0].bias], "lr": BIAS_LR, "weight_decay": DECAY / BIAS_LR},
                             {"params": biases, "lr": BIAS_LR, "weight_decay": DECAY / BIAS_LR},
                             {"params": [net[-2].weight], "lr": HEAD_LR, "weight_decay": DECAY / HEAD_LR}],
                            lr=BIAS_LR, momentum=0.85, nesterov=True)
    muon = Muon(kernels, **MUON)
    for optimizer in (plain, muon):
        for group in optimizer.param_groups:
            group["top"] = group["lr"]
    return plain, muon


def augmented(x, epoch, mirrored):
    flip = (mirrored + epoch) % 2 == 1
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    padded = functional.pad(x, [SHIFT] * 4, "reflect")
    y, z = torch.randint(0, 2 * SHIFT + 1, (2, len(x), 1, 1))
    rows, columns = y + torch.arange(32)[:, None], z + torch.arange(32)
    picked = padded.permute(0, 2, 3, 1)[torch.arange(len(x))[:, None, None], rows, columns]
    return picked.permute(0, 3, 1, 2)


def train(net, x, y, epochs, autocast):
    plain, muon = groups(net)
    mirrored, steps, step = torch.randint(0, 2, (len(x),)), epochs * (len(x) // BATCH), 0
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        for begin in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[begin:begin + BATCH]
            with autocast():
                out = net(augmented(x[chosen], epoch, mirrored[chosen]))
                loss = functional.cross_entropy(out, y[chosen], label_smoothing=SMOOTHING, reduction="sum")
            net.zero_grad(set_to_none=True)
            loss.backward()
            for group in (*plain.param_groups, *muon.param_groups):
                group["lr"] = group["top"] * (1 - step / steps)
            first = plain.param_groups[0]
            first["lr"] = first["top"] * max(0.0, 1 - step / (BIAS_EPOCHS * steps / epochs))
            plain.step()
            muon.step()
            step += 1


def answers(net, x, autocast, views):
    net.eval()
    total = torch.zeros(len(x), 10)
    shifts = {0: 0.5, -1: 0.25, 1: 0.25} if views else {0: 1.0}
    with torch.inference_mode(), autocast():
        for shift, share in shifts.items():
            moved = functional.pad(x, [1] * 4, "reflect")[:, :, 1 + shift:33 + shift, 1 + shift:33 + shift]
            for one in (moved, moved.flip(3)) if views else (moved,):
                out = torch.cat([net(part) for part in one.split(BATCH)]).float()
                total += out * (share / 2 if views else share)
    return total.argmax(1)


def main():
    folder, precision, threads, seed, epochs = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    autocast = (lambda: torch.autocast("cpu", torch.bfloat16)) if precision == "bf16" else contextlib.nullcontext
    times = [time.perf_counter()]
    x, y, test_x, test_y = prepare(folder)
    times.append(time.perf_counter())
    net = set_up(x)
    train(net, x, y, epochs, autocast)
    times.append(time.perf_counter())
    accuracy = [float((answers(net, test_x, autocast, views) == test_y).float().mean()) for views in (False, True)]
    times.append(time.perf_counter())
    print("preparation {:.1f} training {:.1f} evaluation {:.1f} plain {:.4f} views {:.4f}".format(
        *(b - a for a, b in zip(times, times[1:])), *accuracy))


main()
