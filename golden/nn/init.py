"""Initialisers: the standard deviation, and the bound of the uniform ones."""
from common import *


for shape in ([64, 48], [32, 16, 3, 3], [24, 1, 5, 2]):
    t = torch.empty(*shape)
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(t)
    xavier = (2.0 / (fan_in + fan_out)) ** 0.5
    leaky = nn.init.calculate_gain("leaky_relu", 0.1)
    for config, std, form in (
        ({"kind": "heNormal"}, nn.init.calculate_gain("relu") / fan_in**0.5, "normal"),
        ({"kind": "heNormal", "mode": "fanOut", "slope": 0.1}, leaky / fan_out**0.5, "normal"),
        ({"kind": "heUniform"}, nn.init.calculate_gain("relu") / fan_in**0.5, "uniform"),
        ({"kind": "heUniform", "mode": "fanOut", "slope": 0.1}, leaky / fan_out**0.5, "uniform"),
        ({"kind": "xavierNormal"}, xavier, "normal"),
        ({"kind": "xavierUniform", "gain": nn.init.calculate_gain("tanh")}, xavier * nn.init.calculate_gain("tanh"), "uniform"),
        ({"kind": "lecunNormal"}, 1 / fan_in**0.5, "normal"),
        ({"kind": "lecunUniform"}, 1 / fan_in**0.5, "uniform"),
    ):
        inits.append({"config": config, "shape": shape, "fans": [fan_in, fan_out], "std": std, "form": form})

write()
