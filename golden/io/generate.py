"""Files of numpy.save, savez and savez_compressed, as base64, with the values that they hold."""
import base64
import io
import json
from pathlib import Path

import numpy as np

values = np.array([[0, 1, 2], [3, 100, 5]])
arrays = {
    **{
        f"{order}{code}": values.astype(np.dtype(f"{order}{code}"))
        for order in "<>"
        for code in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8")
    },
    "i1": values.astype(np.int8) - 5,
    "u1": values.astype(np.uint8),
    "bool": values % 2 == 1,
    "fortran": np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)),
    "scalar": np.float32(2.5),
    "vector": np.array([1.5, -0.25, np.inf], np.float32),
    "empty": np.zeros((0, 3), np.float32),
}


def listed(array):
    return [str(x) if isinstance(x, float) and not np.isfinite(x) else x for x in np.asarray(array).ravel().tolist()]


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version)
    return base64.b64encode(out.getvalue()).decode()


cases = [
    {"name": name, "shape": list(np.shape(array)), "values": listed(array), "npy": npy(array)}
    for name, array in arrays.items()
]
for version in ((2, 0), (3, 0)):
    cases.append({"name": f"version {version[0]}", "shape": [2, 3], "values": listed(values), "npy": npy(values, version)})
refused = {
    "objects": npy(np.array([{"a": 1}], dtype=object)),
    "text": npy(np.array(["a", "bc"])),
    "records": npy(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")])),
    "complex": npy(np.array([1j])),
    "too large": npy(np.array([2**40])),
}


def npz(save):
    out = io.BytesIO()
    save(out, x=arrays["<f4"], y=arrays["i1"], **{"ü": arrays["fortran"]})
    return base64.b64encode(out.getvalue()).decode()


archives = {"savez": npz(np.savez), "savez_compressed": npz(np.savez_compressed)}
text = json.dumps({"numpy": np.__version__, "cases": cases, "refused": refused, "archives": archives})
Path(__file__).with_name("numpy.json").write_text(text + "\n")
