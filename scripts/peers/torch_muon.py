"""Muon in PyTorch."""
import torch


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024, as lib/kernels/optimizer.h states it: for 4-axis kernels."""

    def __init__(self, kernels, lr, momentum, decay):
        super().__init__(kernels, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for kernel in group["params"]:
                state = self.state[kernel]
                if not state:
                    state["velocity"] = torch.zeros_like(kernel)
                velocity = state["velocity"].mul_(group["momentum"]).add_(kernel.grad)
                x = kernel.grad.add(velocity, alpha=group["momentum"]).reshape(len(kernel), -1)
                x = x / (x.norm() + 1e-7)
                if x.shape[0] > x.shape[1]:
                    x = x.T
                for _ in range(3):
                    square = x @ x.T
                    x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
                if x.shape[0] != len(kernel):
                    x = x.T
                kernel.mul_(len(kernel) ** 0.5 / kernel.norm() * (1 - group["lr"] * group["decay"]))
                kernel.add_(x.reshape(kernel.shape), alpha=-group["lr"])
