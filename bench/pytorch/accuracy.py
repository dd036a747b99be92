"""Training to an accuracy in PyTorch: the counterpart of accuracy-contender.mjs. Answers once, when it has been reached."""

import json
import sys
import time

import torch
from networks import NETWORKS
from tensors import peak_memory, read_tensors
from torch import nn

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
memory_format = torch.channels_last if spec["format"] == "channels_last" else torch.contiguous_format

tensors = read_tensors(spec["inputs"])
images, labels, test_images, test_labels, order, rates, preparation = (
    tensors.pop(name) for name in ("x", "y", "testX", "testY", "order", "rates", "preparation")
)
multiply, subtract = preparation.tolist()


def prepared(bytes):
    return bytes.float().mul_(multiply).sub_(subtract).contiguous(memory_format=memory_format)


# Prepared once, which is the faster way where memory allows it.
images, test_images = prepared(images), prepared(test_images)
labels, test_labels = labels.long(), test_labels.long()
model = NETWORKS["cnn"]().to(memory_format=memory_format)
model.load_state_dict(tensors)
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **({"fused": True} if spec["fused"] else {}))


def evaluate():
    model.eval()
    with torch.inference_mode():
        batches = zip(test_images.split(spec["batch"]), test_labels.split(spec["batch"]))
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in batches)
    model.train()
    return right / len(test_labels)


epochs, step, reached = [], 0, False
begin = time.perf_counter()
for visited in order:
    total = 0.0
    for index in visited.long().split(spec["batch"]):
        for group in optimizer.param_groups:
            group["lr"] = rates[step].item()
        optimizer.zero_grad()
        loss = loss_of(model(images[index]), labels[index])
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(index)
        step += 1
    accuracy = evaluate()
    end = time.perf_counter()
    epochs.append({"loss": total.item() / len(visited), "accuracy": accuracy, "ms": (end - begin) * 1e3})
    begin = end
    reached = accuracy >= spec["target"]
    if reached:
        break
cpu_ms = time.process_time() * 1e3
print(json.dumps({"reached": reached, "epochs": epochs, "cpuMs": cpu_ms, "peakMemory": peak_memory()}), flush=True)
