"""The CIFAR ResNets as akamaster/pytorch_resnet_cifar10 names and shapes them, and LeNet as PyTorch's tutorial has it."""
import torch
import torch.nn.functional as F
from torch import nn
from common import case, images, labels, write


class Block(nn.Module):
    def __init__(self, inputs, channels, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        self.added = 0
        if stride != 1 or inputs != channels:
            if option == "A":
                self.added = channels // 4
            else:
                conv = nn.Conv2d(inputs, channels, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(channels))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        side = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added)) if self.added else self.shortcut(x)
        return F.relu(out + side)


class ResNet(nn.Module):
    def __init__(self, blocks, width, classes, option):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage in range(3):
            layers = []
            for i in range(blocks):
                layers.append(Block(inputs, width * 2**stage, 2 if stage > 0 and i == 0 else 1, option))
                inputs = width * 2**stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(out.mean((2, 3)))


class LeNet(nn.Module):
    def __init__(self, channels, side, padding, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 5)
        left = ((side + 2 * padding - 4) // 2 - 4) // 2
        self.fc1 = nn.Linear(16 * left * left, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def cifar(name, blocks, width, option, x, classes, small):
    config = {"kind": "cifarResnet", "blocks": blocks, "width": width, "shortcut": option, "classes": classes}
    make = lambda: ResNet(blocks, width, classes, option)
    return case(name, config, make, x, labels(classes, x.shape[0]), classes, 1 / 256, small=small)


lenet = lambda name, padding, x: case(
    name,
    {"kind": "lenet", "padding": padding},
    lambda: LeNet(x.shape[1], x.shape[2], padding),
    x,
    labels(10, x.shape[0]),
    10,
    1 / 32,
    small=True,
)
write(
    "cifar_resnet",
    [
        lenet("lenet, 28 x 28", 2, images(4, 1, 28, 28)),
        lenet("lenet, 31 x 31 in colour", 0, images(3, 3, 31, 31)),
        cifar("resnet with shortcut A, 4 channels", 2, 4, "A", images(3, 3, 15, 18), 5, True),
        cifar("resnet with shortcut B, 4 channels", 1, 4, "B", images(3, 3, 16, 16), 5, True),
        cifar("resnet20", 3, 16, "A", images(4, 3, 32, 32), 10, False),
    ],
)
