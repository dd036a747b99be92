"""GPT against nanoGPT's."""
from common import *

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from nanogpt import GPT


def case(name, tokens, how={}, **options):
    layer(name, {"kind": "gpt", **options, **how}, GPT(**options), [tokens])


small = {"vocabSize": 7, "blockSize": 5, "layers": 2, "heads": 2, "width": 4}
case("gpt", labels(7, 2, 5), **small)
case("gpt of one token, without bias", labels(5, 1, 1), vocabSize=5, blockSize=3, layers=1, heads=1, width=3, bias=False)
case("gpt with the tanh gelu, a repeated token", torch.tensor([[3, 3, 3, 0]]), **small, approximate="tanh")
case("gpt with rotary positions", labels(5, 2, 3), vocabSize=5, blockSize=3, layers=1, heads=2, width=8, positions="rotary")
case("gpt in a loop", labels(7, 2, 5), {"scanLayers": True}, **small)
case("gpt in a loop, computed again, by blocks", labels(7, 1, 5), {"scanLayers": True, "remat": True, "memory": "blocked"}, **small)
case("gpt, computed again", labels(7, 1, 3), {"remat": True}, **small)

write()
