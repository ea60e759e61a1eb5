"""The benchmark networks in PyTorch, with the weights of a file that bench_engine wrote, and that file's reader."""
import json

import numpy
import torch
from torch import nn


def read_dump(path):
    """Tensors of a dump by name: a line of JSON that names them, then their numbers."""
    with open(path, "rb") as file:
        header = json.loads(file.readline())
        tensors = {}
        for entry in header["tensors"]:
            kind = numpy.dtype(entry["dtype"])
            count = int(numpy.prod(entry["shape"]))
            tensors[entry["name"]] = numpy.frombuffer(bytearray(file.read(count * kind.itemsize)), kind).reshape(entry["shape"])
    return tensors


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.body(x)


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def block(cin, cout, act=nn.ReLU, eps=1e-5):
    return [nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout, eps), act()]


def network(name):
    if name == "textbook":
        return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8192, 10))
    if name == "cnn6":
        layers, cin = [], 3
        for width in (32, 64, 128):
            layers += block(cin, width) + block(width, width) + [nn.MaxPool2d(2)]
            cin = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    if name == "resnet9":
        return nn.Sequential(
            *block(3, 64), *block(64, 128), nn.MaxPool2d(2), Residual(*block(128, 128), *block(128, 128)),
            *block(128, 256), nn.MaxPool2d(2), *block(256, 512), nn.MaxPool2d(2),
            Residual(*block(512, 512), *block(512, 512)), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    if name == "speed94":
        whiten = nn.Conv2d(3, 24, 2)
        whiten.weight.requires_grad_(False)
        layers, cin = [whiten, nn.GELU()], 24
        for width in (64, 256, 256):
            norm = nn.BatchNorm2d(width, 1e-12)
            norm.weight.requires_grad_(False)
            layers += [nn.Conv2d(cin, width, 3, padding=1, bias=False), nn.MaxPool2d(2), norm, nn.GELU()]
            layers += block(width, width, nn.GELU, 1e-12)
            layers[-2].weight.requires_grad_(False)
            cin = width
        return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(256, 10, bias=False), Scale(1 / 256))
    raise SystemExit(f"bench: no network '{name}'")


def dense_weight(kernel, channels):
    """Ours reads a map in the order row, column, channel; PyTorch's flatten gives channel, row, column."""
    inputs, outputs = kernel.shape
    side = int((inputs // channels) ** 0.5)
    if side * side * channels == inputs and side > 1:
        kernel = kernel.reshape(side, side, channels, outputs).transpose(2, 0, 1, 3).reshape(inputs, outputs)
    return kernel.T


def load(net, dump):
    """Copies the dump's parameters into `net`: the order of layers is the same in both."""
    names = iter([name for name in dump if "/" in name])
    channels = 0

    def take(target, role, change=lambda value: value):
        name = next(names)
        assert name.endswith("/" + role), (name, role)
        with torch.no_grad():
            target.copy_(torch.from_numpy(numpy.ascontiguousarray(change(dump[name]))))

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
            take(module.weight, "kernel", lambda value: value.transpose(3, 2, 0, 1))
        if isinstance(module, nn.Linear):
            take(module.weight, "kernel", lambda value: dense_weight(value, channels))
        if isinstance(module, nn.BatchNorm2d):
            take(module.weight, "gamma")
            take(module.bias, "beta")
            take(module.running_mean, "mean")
            take(module.running_var, "variance")
        elif getattr(module, "bias", None) is not None:
            take(module.bias, "bias")
    assert next(names, None) is None
    return net


def inputs(dump):
    """Normalised images, [n,3,32,32]."""
    images = (dump["images"].astype(numpy.float32) - dump["mean"]) / dump["std"]
    return torch.from_numpy(numpy.ascontiguousarray(images.transpose(0, 3, 1, 2)))
