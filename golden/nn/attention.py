"""Attention and multi-head attention. Masks are true where a query may attend, but for key padding."""
from common import *
from torch.nn.attention import SDPBackend, sdpa_kernel


class Attention(nn.Module):
    def __init__(self, causal=False):
        super().__init__()
        self.causal = causal

    def forward(self, query, key, value, mask=None):
        if self.causal:
            past = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
            mask = past if mask is None else mask & past if mask.dtype == torch.bool else mask.masked_fill(~past, -torch.inf)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def heads(*lead, t, s, d, e=None):
    return {"query": numbers(*lead, t, d), "key": numbers(*lead, s, d), "value": numbers(*lead, s, e or d)}


def boolean(*shape):
    return torch.rand(shape, generator=generator) < 0.6


core = {"kind": "attention"}
layer("attention", core, Attention(), [heads(2, 3, t=5, s=7, d=3)])
layer("attention of one element", core, Attention(), [heads(1, 1, t=1, s=1, d=1)])
layer("attention with values of another width", core, Attention(), [heads(2, 2, t=3, s=5, d=3, e=2)])
layer("attention, causal", {**core, "causal": True}, Attention(True), [heads(2, 1, t=6, s=6, d=3)])
layer("attention, causal, more keys", {**core, "causal": True}, Attention(True), [heads(1, 2, t=3, s=7, d=3)])
layer("attention, causal, more queries", {**core, "causal": True}, Attention(True), [heads(1, 2, t=7, s=3, d=3)])
blind = boolean(5, 7)
blind[2] = False
layer("attention with a query that sees nothing", core, Attention(), [{**heads(2, 2, t=5, s=7, d=3), "mask": blind}])
layer("attention with a mask for each example", core, Attention(), [{**heads(2, 3, t=5, s=7, d=2), "mask": boolean(2, 1, 5, 7)}])
layer("attention with a mask of keys", core, Attention(), [{**heads(2, 2, t=3, s=4, d=2), "mask": boolean(2, 1, 1, 4)}])
layer("attention with an added mask", core, Attention(), [{**heads(2, 2, t=3, s=4, d=2), "mask": numbers(2, 3, 4)}])
layer("attention, causal with an added mask", {**core, "causal": True}, Attention(True), [{**heads(1, 2, t=4, s=4, d=2), "mask": numbers(4, 4)}])
layer("attention of large scores", core, Attention(), [{name: x * 64 for name, x in heads(1, 2, t=4, s=3, d=2).items()}])
tied = heads(1, 1, t=3, s=4, d=2)
tied["key"] = tied["key"][:, :, :1].expand(1, 1, 4, 2).clone()
layer("attention of equal keys", core, Attention(), [tied])
for causal in (False, True):
    name = "attention by blocks, causal" if causal else "attention by blocks"
    config = {**core, "causal": causal, "memory": "blocked", "block": 3}
    layer(name, config, Attention(causal), [heads(2, 1, t=7, s=5, d=2)])
    layer(f"{name}, masked", config, Attention(causal), [{**heads(2, 1, t=7, s=5, d=2), "mask": boolean(2, 1, 7, 5)}])
    layer(f"{name}, with an added mask", config, Attention(causal), [{**heads(2, 1, t=4, s=5, d=2), "mask": numbers(4, 5)}])
    layer(f"{name}, with an added mask of keys", config, Attention(causal), [{**heads(2, 1, t=4, s=5, d=2), "mask": numbers(2, 1, 1, 5)}])


def multi_head(name, embed_dim, heads, x, causal=False, second=False, **options):
    config = {"kind": "multiHeadAttention", "embedDim": embed_dim, "heads": heads, **options}
    if causal:
        config["causal"] = True
    module = nn.MultiheadAttention(embed_dim, heads, batch_first=True, **{k: v for k, v in options.items() if k in ("bias", "kdim", "vdim")})

    def call(module, x):
        x = x if isinstance(x, dict) else {"query": x, "key": x, "value": x}
        mask = x.get("mask")
        padding = x.get("keyPaddingMask")
        n, t = x["query"].shape[:2]
        s = x["key"].shape[1]
        if causal:
            past = torch.ones(t, s, dtype=torch.bool).tril()
            mask = past if mask is None else mask & past
        if mask is not None:
            if mask.dtype == torch.bool:
                mask = ~mask
            elif padding is not None:
                padding = torch.zeros(padding.shape).masked_fill(padding, -torch.inf)
            if mask.dim() == 3:
                mask = mask[:, None]
            if mask.dim() == 4:
                mask = mask.expand(n, heads, t, s).reshape(n * heads, t, s)
        # The fused kernel has no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            return module(x["query"], x["key"], x["value"], attn_mask=mask, key_padding_mask=padding, need_weights=False)[0]

    layer(name, config, module, [x], second=second, call=call)


def three(n, t, s, e, kdim=None, vdim=None):
    return {"query": numbers(n, t, e), "key": numbers(n, s, kdim or e), "value": numbers(n, s, vdim or e)}


padding = torch.tensor([[False, False, False, True, True], [False, False, False, False, True]])
multi_head("multi-head attention", 6, 2, numbers(2, 5, 6), second=True)
multi_head("multi-head attention of one position", 3, 3, numbers(1, 1, 3))
multi_head("multi-head attention, causal", 4, 1, numbers(2, 5, 4), causal=True, second=True)
multi_head("multi-head attention by blocks, causal", 4, 2, numbers(2, 5, 4), causal=True, memory="blocked", block=2)
multi_head("multi-head attention without bias", 4, 2, numbers(2, 3, 4), bias=False)
multi_head("multi-head attention of other keys", 4, 2, three(2, 3, 5, 4))
multi_head("multi-head attention of other widths", 6, 3, three(2, 3, 5, 6, 5, 7), kdim=5, vdim=7)
multi_head("multi-head attention of other widths without bias", 4, 2, three(2, 3, 2, 4, 4, 3), vdim=3, bias=False)
multi_head("multi-head attention with a mask", 4, 2, {**three(2, 3, 5, 4), "mask": boolean(3, 5) | torch.eye(3, 5).bool()})
multi_head("multi-head attention with masks of each example", 4, 2, {**three(2, 3, 5, 4), "mask": numbers(2, 3, 5)})
multi_head("multi-head attention with masks of each head", 4, 2, {**three(2, 3, 5, 4), "mask": boolean(2, 2, 3, 5) | torch.eye(3, 5).bool()})
multi_head("multi-head attention with padding", 4, 2, {**three(2, 3, 5, 4), "keyPaddingMask": padding})
multi_head("multi-head attention with padding, causal", 4, 2, {**three(2, 5, 5, 4), "keyPaddingMask": padding}, causal=True)
multi_head("multi-head attention with both masks", 4, 2, {**three(2, 3, 5, 4), "mask": boolean(3, 5) | torch.eye(3, 5).bool(), "keyPaddingMask": padding})
multi_head("multi-head attention with padding and an added mask", 4, 2, {**three(2, 3, 5, 4), "mask": numbers(3, 5), "keyPaddingMask": padding})

write()
