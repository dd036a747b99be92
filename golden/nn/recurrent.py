"""Recurrent layers and cells."""
from common import *

kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def options(hidden, **given):
    """Our options, from PyTorch's: the batch comes first unless said otherwise."""
    names = {"num_layers": "numLayers", "batch_first": "batchFirst", "return_sequences": "returnSequences"}
    config = {"hiddenSize": hidden, **{names.get(name, name): value for name, value in given.items()}}
    if config.get("batchFirst", True):
        config.pop("batchFirst", None)
    return config


def state_of(module, name, x):
    """The outputs as a record, from `x` alone or `x` and its state."""
    if isinstance(x, dict):
        first = (x["h"], x["c"]) if "c" in x else x.get("h")
        output, last = module(x["x"], first)
    else:
        output, last = module(x)
    return {"output": output, "h": last[0], "c": last[1]} if name == "lstm" else {"output": output, "h": last}


def over(name, kind, size, hidden, shape, second=False, **given):
    """The output alone."""
    torch_given = {k: v for k, v in given.items() if k != "return_sequences"}
    module = kinds[kind](size, hidden, **{"batch_first": True, **torch_given})

    def call(module, x):
        got = state_of(module, kind, x)
        if given.get("return_sequences", True):
            return got["output"]
        directions = 2 if given.get("bidirectional") else 1
        return torch.cat(list(got["h"][-directions:]), -1)

    layer(name, {"kind": kind, **options(hidden, **given)}, module, [numbers(*shape)], second=second, call=call)


def with_state(name, kind, size, hidden, shape, zeros=False, **given):
    module = kinds[kind](size, hidden, **{"batch_first": True, **given})
    batch = shape[0] if given.get("batch_first", True) else shape[1]
    rows = given.get("num_layers", 1) * (2 if given.get("bidirectional") else 1)
    x = {"x": numbers(*shape)}
    if not zeros:
        for each in ("h", "c") if kind == "lstm" else ("h",):
            x[each] = numbers(rows, batch, hidden)
    config = {"kind": kind, **options(hidden, **given), "state": True}
    layer(name, config, module, [x], call=lambda module, x: state_of(module, kind, x))


for kind in kinds:
    over(kind, kind, 3, 4, (2, 5, 3), second=True)
    over(f"{kind} of one step, one number", kind, 1, 1, (1, 1, 1))
    over(f"{kind} without bias, time first", kind, 2, 3, (4, 2, 2), bias=False, batch_first=False)
    over(f"{kind} of two layers in both directions", kind, 3, 2, (2, 3, 3), num_layers=2, bidirectional=True)
    over(f"{kind}, the last output of both directions", kind, 2, 3, (2, 4, 2), bidirectional=True, return_sequences=False)
    with_state(f"{kind} with its state", kind, 3, 5, (2, 3, 3))
    with_state(f"{kind} with its state, two layers, both directions", kind, 2, 3, (1, 3, 2), num_layers=2, bidirectional=True)
    with_state(f"{kind} with its state, one step", kind, 2, 3, (2, 1, 2))
    with_state(f"{kind} whose state starts at zeros", kind, 2, 3, (2, 3, 2), zeros=True)
over("rnn with relu", "rnn", 3, 4, (2, 4, 3), second=True, nonlinearity="relu")

for kind, make in (("lstmCell", nn.LSTMCell), ("gruCell", nn.GRUCell), ("rnnCell", nn.RNNCell)):
    cells = ("h", "c") if kind == "lstmCell" else ("h",)
    for bias in (True, False):
        x = {"x": numbers(2, 3), **{each: numbers(2, 4) for each in cells}}

        def call(module, x):
            if "c" not in x:
                return module(x["x"], x["h"])
            h, c = module(x["x"], (x["h"], x["c"]))
            return {"h": h, "c": c}

        layer(f"{kind}{'' if bias else ' without bias'}", {"kind": kind, "hiddenSize": 4, **({} if bias else {"bias": False})}, make(3, 4, bias=bias), [x], call=call)
layer("rnnCell with relu", {"kind": "rnnCell", "hiddenSize": 2, "nonlinearity": "relu"}, nn.RNNCell(3, 2, nonlinearity="relu"), [{"x": numbers(3, 3), "h": numbers(3, 2)}], call=lambda module, x: module(x["x"], x["h"]))

write()
