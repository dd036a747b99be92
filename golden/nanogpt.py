"""nanoGPT's model.py (Karpathy), with the gelu to be chosen and, for rotary positions, GPT-NeoX's rotation."""
import math
import torch
import torch.nn.functional as F
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


def rotate(x):
    length, width = x.shape[-2:]
    inverse = 1.0 / (10000.0 ** (torch.arange(0, width, 2, dtype=torch.float64) / width))
    angles = torch.outer(torch.arange(length, dtype=torch.float64), inverse)
    angles = torch.cat([angles, angles], -1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return x * cos + torch.cat([-x[..., width // 2 :], x[..., : width // 2]], -1) * sin


class CausalSelfAttention(nn.Module):
    def __init__(self, width, heads, bias, rotary):
        super().__init__()
        self.c_attn = nn.Linear(width, 3 * width, bias=bias)
        self.c_proj = nn.Linear(width, width, bias=bias)
        self.heads, self.rotary = heads, rotary

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (part.view(n, t, self.heads, c // self.heads).transpose(1, 2) for part in self.c_attn(x).split(c, dim=2))
        if self.rotary:
            q, k = rotate(q), rotate(k)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(torch.ones(t, t).tril() == 0, float("-inf"))
        return self.c_proj((F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(n, t, c))


class MLP(nn.Module):
    def __init__(self, width, bias, approximate):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width, bias=bias)
        self.gelu = nn.GELU(approximate)
        self.c_proj = nn.Linear(4 * width, width, bias=bias)

    def forward(self, x):
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, width, heads, bias, approximate, rotary):
        super().__init__()
        self.ln_1 = LayerNorm(width, bias)
        self.attn = CausalSelfAttention(width, heads, bias, rotary)
        self.ln_2 = LayerNorm(width, bias)
        self.mlp = MLP(width, bias, approximate)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocabSize, blockSize, layers, heads, width, bias=True, approximate="none", positions="learned"):
        super().__init__()
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(vocabSize, width),
            **({"wpe": nn.Embedding(blockSize, width)} if positions == "learned" else {}),
            "h": nn.ModuleList([Block(width, heads, bias, approximate, positions == "rotary") for _ in range(layers)]),
            "ln_f": LayerNorm(width, bias),
        })
        self.lm_head = nn.Linear(width, vocabSize, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        x = self.transformer.wte(tokens)
        if "wpe" in self.transformer:
            x = x + self.transformer.wpe(torch.arange(tokens.shape[1]))
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))
