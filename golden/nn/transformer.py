"""Transformer encoders and decoders. Bool masks are true where a query may attend, but for key padding."""
from common import *

torch.backends.mha.set_fastpath_enabled(False)
# The fused kernel has no second derivative.
torch.backends.cuda.enable_flash_sdp(False)


def options_of(config):
    """PyTorch's options of a layer's configuration."""
    return {
        "dim_feedforward": config.get("dimFeedforward", 2048),
        "dropout": 0.0,
        "activation": config.get("activation", "relu"),
        "layer_norm_eps": config.get("layerNormEps", 1e-5),
        "norm_first": config.get("normFirst", False),
        "bias": config.get("bias", True),
        "batch_first": True,
    }


def torch_mask(mask, causal, t, s, heads):
    """Ours as PyTorch's."""
    if causal:
        past = torch.ones(t, s, dtype=torch.bool).tril()
        mask = past if mask is None else mask & past if mask.dtype == torch.bool else mask.masked_fill(~past, -torch.inf)
    if mask is None:
        return None
    mask = ~mask if mask.dtype == torch.bool else mask
    return mask.repeat_interleave(heads, 0) if mask.dim() == 3 else mask


def encoder_layer(**config):
    return {"kind": "transformerEncoderLayer", "dropout": 0, **config}


def decoder_layer(**config):
    return {"kind": "transformerDecoderLayer", "dropout": 0, **config}


def encode(config):
    def call(module, x):
        x = x if isinstance(x, dict) else {"src": x}
        t = x["src"].shape[1]
        mask = torch_mask(x.get("mask"), config.get("causal", False), t, t, config["heads"])
        name = "mask" if isinstance(module, nn.TransformerEncoder) else "src_mask"
        return module(x["src"], **{name: mask}, src_key_padding_mask=x.get("srcKeyPaddingMask"))

    return call


def decode(config):
    def call(module, x):
        t, s = x["tgt"].shape[1], x["memory"].shape[1]
        return module(
            x["tgt"],
            x["memory"],
            tgt_mask=torch_mask(x.get("tgtMask"), config.get("causal", False), t, t, config["heads"]),
            memory_mask=torch_mask(x.get("memoryMask"), False, t, s, config["heads"]),
            tgt_key_padding_mask=x.get("tgtKeyPaddingMask"),
            memory_key_padding_mask=x.get("memoryKeyPaddingMask"),
        )

    return call


def encoder(name, x, second=False, **config):
    config = encoder_layer(**config)
    module = nn.TransformerEncoderLayer(config["dModel"], config["heads"], **options_of(config))
    layer(name, config, module, [x], call=encode(config), second=second)


def decoder(name, x, **config):
    config = decoder_layer(**config)
    module = nn.TransformerDecoderLayer(config["dModel"], config["heads"], **options_of(config))
    layer(name, config, module, [x], call=decode(config))


def visible(*shape):
    """A random mask in which each query sees itself or its like."""
    return (torch.rand(shape, generator=generator) < 0.5) | torch.eye(*shape[-2:]).bool()


padding = torch.tensor([[False, False, False, True, True], [False, False, False, False, True]])

encoder("transformer encoder layer", numbers(2, 5, 4), dModel=4, heads=2, dimFeedforward=7)
encoder("transformer encoder layer, pre-norm with gelu", numbers(2, 3, 6), second=True, dModel=6, heads=3, dimFeedforward=5, normFirst=True, activation="gelu")
encoder("transformer encoder layer, causal, without bias", numbers(2, 5, 4), dModel=4, heads=1, dimFeedforward=3, causal=True, bias=False, layerNormEps=0.01)
encoder("transformer encoder layer of one position", numbers(1, 1, 2), dModel=2, heads=2, dimFeedforward=1, normFirst=True)
encoder("transformer encoder layer with a mask", {"src": numbers(2, 5, 4), "mask": visible(5, 5)}, dModel=4, heads=2, dimFeedforward=3)
encoder("transformer encoder layer with an added mask, causal", {"src": numbers(2, 3, 4), "mask": numbers(2, 3, 3)}, dModel=4, heads=2, dimFeedforward=3, causal=True)
encoder("transformer encoder layer with padding", {"src": numbers(2, 5, 4), "srcKeyPaddingMask": padding}, dModel=4, heads=2, dimFeedforward=3)

pair = lambda: {"tgt": numbers(2, 3, 4), "memory": numbers(2, 5, 4)}
decoder("transformer decoder layer", pair(), dModel=4, heads=2, dimFeedforward=5)
decoder("transformer decoder layer, causal, pre-norm with gelu", pair(), dModel=4, heads=2, dimFeedforward=3, causal=True, normFirst=True, activation="gelu")
decoder("transformer decoder layer without bias", pair(), dModel=4, heads=1, dimFeedforward=3, bias=False)
decoder(
    "transformer decoder layer with every mask",
    {**pair(), "tgtMask": visible(3, 3), "memoryMask": visible(3, 5), "tgtKeyPaddingMask": torch.tensor([[False, False, True], [False, False, False]]), "memoryKeyPaddingMask": padding},
    dModel=4, heads=2, dimFeedforward=3,
)

for extra in ({}, {"scanLayers": True}, {"remat": True}):
    how = "".join({"scanLayers": ", in a loop", "remat": ", computed again"}[key] for key in extra)
    one = encoder_layer(dModel=4, heads=2, dimFeedforward=2, normFirst=True)
    module = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, **options_of(one)), 2, norm=nn.LayerNorm(4), enable_nested_tensor=False)
    layer(f"transformer encoder{how}", {"kind": "transformerEncoder", "layer": one, "numLayers": 2, "norm": {"kind": "layerNorm"}, **extra}, module, [numbers(2, 3, 4)], call=encode(one))
    blocks = {"memory": "blocked", "block": 2} if extra else {}
    one = encoder_layer(dModel=3, heads=3, dimFeedforward=2, **blocks)
    module = nn.TransformerEncoder(nn.TransformerEncoderLayer(3, 3, **options_of(one)), 2, enable_nested_tensor=False)
    x = {"src": numbers(2, 5, 3), "mask": visible(5, 5), "srcKeyPaddingMask": padding}
    layer(f"transformer encoder with masks{how}", {"kind": "transformerEncoder", "layer": one, "numLayers": 2, **extra}, module, [x], call=encode(one))
    one = decoder_layer(dModel=3, heads=1, dimFeedforward=2, causal=True, **blocks)
    module = nn.TransformerDecoder(nn.TransformerDecoderLayer(3, 1, **options_of(one)), 2, norm=nn.LayerNorm(3))
    x = {"tgt": numbers(2, 3, 3), "memory": numbers(2, 5, 3), "memoryKeyPaddingMask": padding}
    layer(f"transformer decoder{how}", {"kind": "transformerDecoder", "layer": one, "numLayers": 2, "norm": {"kind": "layerNorm"}, **extra}, module, [x], call=decode(one))

write()
