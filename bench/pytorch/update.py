"""PyTorch's optimizers as contenders: one process for all of them, the counterpart of update-contender.mjs."""

import json
import sys
import time

import torch
from torch import nn

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])

# torch.optim's numbers are the defaults, but for what Downhill's names mean.
RULES = {
    "sgd": (torch.optim.SGD, {"lr": 1e-2}),
    "momentum": (torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "rprop": (torch.optim.Rprop, {}),
    "asgd": (torch.optim.ASGD, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "adamax": (torch.optim.Adamax, {}),
    "nadam": (torch.optim.NAdam, {}),
    "radam": (torch.optim.RAdam, {}),
}


def answer(message):
    print(json.dumps(message), flush=True)


def hashed(count, salt):
    """The same numbers in [-0.5, 0.5) as hashed() of update-rules.mjs."""
    index = torch.arange(salt, salt + count, dtype=torch.int64)
    word = (index * 2654435761) & 0xFFFFFFFF
    return (word.to(torch.float64) / 2**32 - 0.5).to(torch.float32)


class Work:
    def __init__(self, name, size, fused, options):
        kind, known = RULES[name]
        self.begin = hashed(size, 1)
        self.x = nn.Parameter(self.begin.clone())
        self.x.grad = hashed(size, 7)
        self.optimizer = kind([self.x], **{**known, **options}, **({"fused": True} if fused else {}))
        self.optimizer.step()

    def moved(self):
        return (self.x.detach() - self.begin).abs().double().mean().item()


works = {}
answer({"rules": list(RULES)})
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "open":
        works.clear()
        moved = None
        for what in ("default", "fused"):
            try:
                works[what] = Work(request["rule"], request["size"], what == "fused", request["options"])
            except (RuntimeError, TypeError):
                continue
            moved = works[what].moved() if moved is None else moved
        answer({"variants": list(works), "moved": moved})
    else:
        work = works[request["what"]]
        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(request["steps"]):
            work.optimizer.step()
        answer({"ms": (time.perf_counter() - start) * 1e3, "cpuMs": (time.process_time() - cpu) * 1e3})
