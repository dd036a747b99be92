"""Files of torch.save, as base64, with the values that they hold; and files that must be refused."""
import base64
import collections
import io
import json
import pickle
from pathlib import Path

import torch

values = torch.tensor([[0.0, 1.0, 2.0], [3.0, 100.0, 5.0]])
base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)


def saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return base64.b64encode(out.getvalue()).decode()


tensors = {
    **{
        name: values.to(dtype)
        for name, dtype in {
            "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
            "i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "i8": torch.int8, "u8": torch.uint8,
            "bool": torch.bool,
        }.items()
    },
    "transposed": base.permute(2, 0, 1),
    "part": base[:, 1:, ::2],
    "column": base[0, :, 3],
    "expanded": torch.tensor([1.5, -2.0]).expand(3, 2),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
    "parameter": torch.nn.Parameter(torch.tensor([1.0, -0.0])),
}


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
plain = {
    "text": "ü", "int": 7, "negative": -300, "large": 2**40, "float": 0.1, "minus": -0.0, "true": True, "none": None,
    "tuple": (1, (2, 3), (4, 5, 6), (7, 8, 9, 10)), "list": [1, [2], []], "dict": {3: "three", "four": 4},
    "ordered": collections.OrderedDict(a=1),
}
text = json.dumps({
    "torch": torch.__version__,
    "cases": [
        {"name": name, "shape": list(t.shape), "values": t.double().reshape(-1).tolist(), "file": saved(t)}
        for name, t in tensors.items()
    ],
    "plain": saved(plain),
    "protocol4": saved(plain, pickle_protocol=4),
    "stateDict": saved(model.state_dict()),
    "refused": {
        "call": saved({"a": Evil()}),
        "model": saved(model),
        "large": saved(torch.tensor([2**40])),
        "complex": saved(torch.tensor([1j])),
        "old": saved(values, _use_new_zipfile_serialization=False),
        "pickle": base64.b64encode(pickle.dumps({"a": 1}, protocol=2)).decode(),
    },
})
Path(__file__).with_name("torch-files.json").write_text(text + "\n")
