"""PyTorch as a contender: one process for one workload, the counterpart of contender.mjs."""

import json
import sys
import time

BEGIN = time.perf_counter()
import torch  # noqa: E402
from networks import IMAGES, NETWORKS  # noqa: E402
from tensors import peak_memory, read_tensors  # noqa: E402
from torch import nn  # noqa: E402

IMPORTED = time.perf_counter()

spec = json.loads(sys.argv[1])
kind, size = spec["kind"], spec["size"]
torch.set_num_threads(spec["threads"])
memory_format = torch.channels_last if spec["format"] == "channels_last" else torch.contiguous_format


def answer(message):
    print(json.dumps(message), flush=True)


def hashed(count, salt):
    """The same numbers in [-0.5, 0.5) as hashed() of contender.mjs."""
    index = torch.arange(salt, salt + count, dtype=torch.int64)
    word = (index * 2654435761) & 0xFFFFFFFF
    return (word.to(torch.float64) / 2**32 - 0.5).to(torch.float32)


def optimizer_of(parameters):
    return torch.optim.Adam(parameters, lr=1e-3, **({"fused": True} if spec["fused"] else {}))


class Network:
    def __init__(self):
        tensors = read_tensors(spec["inputs"])
        self.x, self.y = tensors.pop("x"), tensors.pop("y").long().flatten()
        if self.x.dtype == torch.int32:
            self.x = self.x.long()
        self.weights = tensors
        self.model = NETWORKS[kind]()
        if kind in IMAGES:
            self.x = self.x.contiguous(memory_format=memory_format)
            self.model = self.model.to(memory_format=memory_format)
        self.loss = nn.CrossEntropyLoss()
        self.run = torch.compile(self.model) if spec["compiled"] else self.model
        self.optimizer = optimizer_of(self.model.parameters())
        self.reset()

    def reset(self):
        self.model.load_state_dict(self.weights)
        self.optimizer.state.clear()

    def step(self):
        self.optimizer.zero_grad()
        loss = self.loss(self.run(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss


class Flat:
    """Work without a loss: what is reported is the mean size of the result after the first step."""

    def reset(self):
        pass

    def first(self):
        self.step()
        return self.result().abs().double().mean().item()


class Adam(Flat):
    def __init__(self):
        self.begin = hashed(size, 1)
        self.x = nn.Parameter(self.begin.clone())
        self.x.grad = hashed(size, 7)
        self.optimizer = optimizer_of([self.x])

    def step(self):
        self.optimizer.step()

    def result(self):
        return 1e3 * (self.x.detach() - self.begin)


class Stream(Flat):
    def __init__(self):
        self.x, self.y = hashed(size, 1), hashed(size, 7)

    def step(self):
        self.x.add_(self.y, alpha=0.75)

    def result(self):
        return self.x


class Product(Flat):
    def __init__(self):
        self.a, self.b = (hashed(size * size, salt).reshape(size, size) for salt in (1, 7))
        self.c = torch.zeros(size, size)

    def step(self):
        torch.mm(self.a, self.b, out=self.c)

    def result(self):
        return self.c


work = {"adam": Adam, "stream": Stream, "matmul": Product}.get(kind, Network)()
MADE = time.perf_counter()
value = work.step().item() if isinstance(work, Network) else work.first()
answer(
    {
        "value": value,
        "engine": {"torch": torch.__version__, "python": sys.version.split()[0]},
        "times": {
            "import": (IMPORTED - BEGIN) * 1e3,
            "init": (MADE - IMPORTED) * 1e3,
            "step": (time.perf_counter() - MADE) * 1e3,
        },
    }
)

for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "reset":
        work.reset()
        answer({})
    elif request["op"] == "run":
        cpu = time.process_time()
        start = time.perf_counter()
        for _ in range(request["steps"]):
            result = work.step()
        loss = result.item() if isinstance(work, Network) else None
        took = time.perf_counter() - start
        answer({"ms": took * 1e3, "cpuMs": (time.process_time() - cpu) * 1e3, "value": loss})
    else:
        answer({"peakMemory": peak_memory()})
