"""Linear layers."""
from common import *


layer("linear", {"kind": "linear", "outFeatures": 3}, nn.Linear(7, 3), [numbers(5, 7)])
layer("linear without bias", {"kind": "linear", "outFeatures": 4, "bias": False}, nn.Linear(3, 4, bias=False), [numbers(2, 3)])
layer("linear on rank 3", {"kind": "linear", "outFeatures": 5}, nn.Linear(4, 5), [numbers(2, 3, 4)])

write()
