"""Positions: sinusoidal, learned and rotary. The rotary ones are the published forms written out."""
import math
from common import *


class Sinusoidal(nn.Module):
    """PyTorch's tutorial, for any width."""

    def __init__(self, base=10000.0):
        super().__init__()
        self.base = base

    def forward(self, x):
        length, width = x.shape[-2:]
        position = torch.arange(length, dtype=torch.float64)[:, None]
        divisor = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(self.base) / width))
        table = torch.zeros(length, width)
        table[:, 0::2] = torch.sin(position * divisor)
        table[:, 1::2] = torch.cos(position * divisor)[:, : width // 2]
        return x + table


class Learned(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, width))

    def forward(self, x):
        return x + F.embedding(torch.arange(x.shape[-2]), self.weight)


def rotate_halves(x, base=10000.0, offset=0):
    """GPT-NeoX and Llama: x cos + rotate_half(x) sin."""
    length, width = x.shape[-2:]
    inverse = 1.0 / (base ** (torch.arange(0, width, 2, dtype=torch.float64) / width))
    angles = torch.outer(torch.arange(offset, offset + length, dtype=torch.float64), inverse)
    angles = torch.cat([angles, angles], -1)
    half = torch.cat([-x[..., width // 2 :], x[..., : width // 2]], -1)
    return x * angles.cos() + half * angles.sin()


def rotate_pairs(x, base=10000.0, offset=0):
    """RoFormer: neighbours as complex numbers, times e^(i angle)."""
    length, width = x.shape[-2:]
    inverse = 1.0 / (base ** (torch.arange(0, width, 2, dtype=torch.float64) / width))
    angles = torch.outer(torch.arange(offset, offset + length, dtype=torch.float64), inverse)
    z = torch.view_as_complex(x.reshape(*x.shape[:-1], width // 2, 2).contiguous())
    return torch.view_as_real(z * torch.polar(torch.ones_like(angles), angles)).reshape(x.shape)


class Attention(nn.Module):
    def __init__(self, rotate, causal=False, dims=None, **options):
        super().__init__()
        self.rotate, self.causal, self.dims, self.options = rotate, causal, dims, options

    def turn(self, x):
        dims = self.dims or x.shape[-1]
        return torch.cat([self.rotate(x[..., :dims], **self.options), x[..., dims:]], -1)

    def forward(self, query, key, value):
        return F.scaled_dot_product_attention(self.turn(query), self.turn(key), value, is_causal=self.causal)


def heads(n, h, t, d):
    return {name: numbers(n, h, t, d) for name in ("query", "key", "value")}


layer("sinusoidal positions", {"kind": "sinusoidalPositions"}, Sinusoidal(), [numbers(2, 5, 6)])
layer("sinusoidal positions of odd width", {"kind": "sinusoidalPositions", "base": 100}, Sinusoidal(100.0), [numbers(1, 7, 3)])
layer("sinusoidal positions, far", {"kind": "sinusoidalPositions"}, Sinusoidal(), [numbers(1, 701, 2)])
layer("learned positions", {"kind": "learnedPositions", "length": 7}, Learned(7, 3), [numbers(2, 5, 3), numbers(1, 7, 3)])
layer("rotary attention", {"kind": "attention", "rotary": True}, Attention(rotate_halves), [heads(2, 1, 5, 6)])
layer("rotary attention of neighbours, causal", {"kind": "attention", "rotary": {"interleaved": True, "base": 100}, "causal": True}, Attention(rotate_pairs, True, base=100.0), [heads(1, 2, 5, 4)])
layer("rotary attention of some elements", {"kind": "attention", "rotary": {"dims": 2, "offset": 900}}, Attention(rotate_halves, dims=2, offset=900), [heads(1, 2, 3, 5)])
layer("rotary attention of some neighbours", {"kind": "attention", "rotary": {"dims": 4, "offset": 3, "interleaved": True}}, Attention(rotate_pairs, dims=4, offset=3), [heads(1, 1, 3, 7)])
one = {"kind": "transformerEncoderLayer", "dModel": 4, "heads": 1, "dimFeedforward": 1, "dropout": 0, "rotary": True, "activation": "gelu"}


class RotaryEncoder(nn.TransformerEncoderLayer):
    """PyTorch's layer, with queries and keys turned."""

    def _sa_block(self, x, *masks, **options):
        q, k, v = F.linear(x, self.self_attn.in_proj_weight, self.self_attn.in_proj_bias).chunk(3, -1)
        return self.self_attn.out_proj(F.scaled_dot_product_attention(rotate_halves(q), rotate_halves(k), v))


stack = nn.ModuleDict({"layers": nn.ModuleList([RotaryEncoder(4, 1, 1, 0.0, "gelu", batch_first=True) for _ in range(2)])})
torch.backends.mha.set_fastpath_enabled(False)
for how in ({}, {"scanLayers": True}, {"remat": True}):
    config = {"kind": "transformerEncoder", "layer": one, "numLayers": 2, **how}
    layer(f"rotary encoder {list(how) or ''}".strip(), config, stack, [numbers(1, 3, 4)], call=lambda m, x: m["layers"][1](m["layers"][0](x)))

write()
