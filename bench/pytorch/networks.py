"""The networks of networks.mjs in PyTorch, under the same parameter names."""

import torch
import torch.nn.functional as F
from torch import nn


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def mlp():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.pad = (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad)) if self.pad else x
        return F.relu(y + shortcut)


class Resnet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(*(BasicBlock(a if i == 0 else b, b, 2 if i == 0 and a != b else 1) for i in range(3)))
            for a, b in ((16, 16), (16, 32), (32, 64))
        )
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class Transformer(nn.Sequential):
    def __init__(self):
        layer = nn.TransformerEncoderLayer(
            128, 4, 512, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )
        super().__init__(
            nn.Embedding(512, 128),
            nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(128), enable_nested_tensor=False),
            nn.Linear(128, 512),
        )
        self.mask = nn.Transformer.generate_square_subsequent_mask(64)

    def forward(self, x):
        return self[2](self[1](self[0](x), mask=self.mask, is_causal=True)).flatten(0, 1)


class Lstm(nn.Sequential):
    def __init__(self):
        super().__init__(nn.LSTM(32, 128, batch_first=True), nn.Identity(), nn.Linear(128, 10))

    def forward(self, x):
        return self[2](self[0](x)[0][:, -1])


NETWORKS = {"cnn": cnn, "mlp": mlp, "resnet20": Resnet20, "transformer": Transformer, "lstm": Lstm}
IMAGES = {"cnn", "resnet20"}
