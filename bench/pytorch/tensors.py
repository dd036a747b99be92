"""What the contenders share: reading safetensors, and the process's peak memory."""

import json
import sys

import torch


def read_tensors(path):
    with open(path, "rb") as file:
        content = bytearray(file.read())
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    types = {"F32": torch.float32, "I32": torch.int32, "U8": torch.uint8, "I64": torch.int64}
    return {
        name: torch.frombuffer(
            content[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]],
            dtype=types[entry["dtype"]],
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def peak_memory():
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
