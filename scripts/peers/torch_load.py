"""PyTorch's DataLoader on the pixels of bench_load: torch_load.py PIXELS BATCH WORKERS sample|batch

sample: one image at a time, as torchvision's transforms do it. batch: a whole batch by tensor operations. Shift by up to
two pixels mirrored at the edge, random flip, normalised floats in planes. Prints "ready NAME 0", then answers each line
"S" with images a second.
"""
import random
import sys
import time

import numpy
import torch
from torch.utils.data import DataLoader, Dataset

SIDE, SHIFT = 64, 2
MEAN, STD = 70.0, 45.0


class Images(Dataset):
    def __init__(self, path, whole_batches):
        self.pixels = torch.from_numpy(numpy.fromfile(path, dtype=numpy.uint8).reshape(-1, SIDE, SIDE, 3))
        if whole_batches:
            self.__getitems__ = self.batch

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        image = self.pixels[index].permute(2, 0, 1).float().sub_(MEAN).div_(STD)
        padded = torch.nn.functional.pad(image, (SHIFT,) * 4, mode="reflect")
        y, x = random.randrange(2 * SHIFT + 1), random.randrange(2 * SHIFT + 1)
        image = padded[:, y:y + SIDE, x:x + SIDE]
        return image.flip(2) if random.random() < 0.5 else image

    def batch(self, indices):
        n, place = len(indices), torch.arange(SIDE)
        mirror = lambda at: (SIDE - 1) - ((SIDE - 1) - at.abs()).abs()
        y = mirror(place + torch.randint(-SHIFT, SHIFT + 1, (n, 1)))
        x = mirror(place + torch.randint(-SHIFT, SHIFT + 1, (n, 1)))
        x = torch.where(torch.rand(n, 1) < 0.5, x.flip(1), x)
        chosen = self.pixels[torch.tensor(indices)[:, None, None], y[:, :, None], x[:, None, :]]
        return chosen.permute(0, 3, 1, 2).float().sub_(MEAN).div_(STD)


def main():
    path, batch, workers, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(1 if workers else torch.get_num_threads())
    whole = kind == "batch"
    loader = DataLoader(Images(path, whole), batch_size=batch, shuffle=True, num_workers=workers,
                        persistent_workers=workers > 0, **({"collate_fn": lambda images: images} if whole else {}))
    for _ in loader:
        pass
    print("ready", torch.__version__, 0, flush=True)
    for line in sys.stdin:
        seconds, images, begun = float(line), 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            for x in loader:
                images += len(x)
                if time.perf_counter() - begun >= seconds:
                    break
        print(images / (time.perf_counter() - begun), flush=True)


main()
