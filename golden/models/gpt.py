"""nanoGPT's model, small and at the size that a laptop trains."""
import os
import sys
from common import case, labels, tokens, write

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from nanogpt import GPT

LOSS = {"kind": "crossEntropy", "classAxis": -1}


def gpt(name, n, length, rate, how={}, small=False, **options):
    vocabulary = options["vocabSize"]
    config = {"kind": "gpt", **options, **how}
    x, y = tokens(vocabulary, n, length), labels(vocabulary, n, length)
    return case(name, config, lambda: GPT(**options), x, y, vocabulary, rate, loss_config=LOSS, small=small)


tiny = {"vocabSize": 11, "blockSize": 7, "layers": 2, "heads": 3, "width": 12}
sized = {"vocabSize": 65, "blockSize": 16, "layers": 4, "heads": 4, "width": 128}
write(
    "gpt",
    [
        gpt("gpt of width 12", 3, 5, 1 / 16, small=True, **tiny),
        gpt("gpt of width 12 without bias, tanh gelu", 2, 7, 1 / 16, small=True, **tiny, bias=False, approximate="tanh"),
        gpt("gpt of width 12, rotary, in a loop", 2, 7, 1 / 16, {"scanLayers": True}, small=True, **{**tiny, "positions": "rotary"}),
        gpt("gpt of width 128", 2, 16, 1 / 64, **sized),
    ],
)
