"""Problems, schedules and runners that the rules' scripts share."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax

jax.config.update("jax_enable_x64", True)

import keras
import numpy as np
import optax
import torch

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

STEPS = (1, 2, 3, 10, 50)
VERSIONS = {
    "numpy": np.__version__,
    "torch": torch.__version__.split("+")[0],
    "keras": keras.__version__,
    "optax": optax.__version__,
}


class Quadratic:
    """f(x) = sum_i h_i (x_i - b_i)^2 / 2"""

    name = "quadratic"
    data = {"h": [1.0, 10.0, 0.1, 3.0], "b": [0.5, -0.25, 2.0, 0.0], "start": [1.5, 1.0, -1.0, -2.0]}

    def start(self):
        return [np.array(self.data["start"])]

    def loss(self, params):
        (x,) = params
        h, b = (np.array(self.data[k], x.dtype) for k in "hb")
        return (h * (x - b) ** 2).sum() / 2

    def gradient(self, params):
        (x,) = params
        h, b = (np.array(self.data[k], x.dtype) for k in "hb")
        return [h * (x - b)]

    def example_gradients(self, params):
        """Of the examples 2 h_i (x_i - b_i)^2, whose mean the loss is."""
        (g,) = self.gradient(params)
        return [[4 * g * unit] for unit in np.eye(4, dtype=g.dtype)]


class Rosenbrock:
    """f(x, y) = ((1 - x)^2 + 100 (y - x^2)^2) / 100"""

    name = "rosenbrock"
    data = {"start": [-1.2, 1.0]}

    def start(self):
        return [np.array(self.data["start"])]

    def loss(self, params):
        x, y = params[0]
        return ((1 - x) ** 2 + 100 * (y - x * x) ** 2) / 100

    def gradient(self, params):
        x, y = params[0]
        valley = y - x * x
        return [np.array([(-2 * (1 - x) - 400 * x * valley) / 100, 2 * valley], params[0].dtype)]


class Mlp:
    """Mean squared error of W2 tanh(W1 x + b1) + b2 over six points."""

    name = "mlp"

    def __init__(self):
        wave = lambda n, scale, phase: np.round(scale * np.sin(1.7 * np.arange(n) + phase), 3)
        self.data = {
            "x": [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.5, -0.5], [-1.0, 0.25]],
            "y": [[0.0], [1.0], [1.0], [0.0], [0.5], [-0.75]],
            "start": {
                "hidden": {"weight": wave(16, 0.8, 0.3).reshape(8, 2).tolist(), "bias": wave(8, 0.2, 1.1).tolist()},
                "output": {"weight": wave(8, 0.6, 2.2).reshape(1, 8).tolist(), "bias": [0.1]},
            },
        }

    def start(self):
        layers = self.data["start"]
        return [np.array(layers[layer][kind]) for layer in ("hidden", "output") for kind in ("weight", "bias")]

    def loss(self, params):
        w1, b1, w2, b2 = params
        x, y = (np.array(self.data[k], w1.dtype) for k in "xy")
        return ((np.tanh(x @ w1.T + b1) @ w2.T + b2 - y) ** 2).mean()

    def gradient(self, params):
        w1, b1, w2, b2 = params
        x, y = (np.array(self.data[k], w1.dtype) for k in "xy")
        hidden = np.tanh(x @ w1.T + b1)
        error = 2 * (hidden @ w2.T + b2 - y) / len(x)
        back = (error @ w2) * (1 - hidden * hidden)
        return [back.T @ x, back.sum(0), error.T @ hidden, error.sum(0)]

    def example_gradients(self, params):
        def single(i):
            one = Mlp()
            one.data = {"x": self.data["x"][i : i + 1], "y": self.data["y"][i : i + 1]}
            return one.gradient(params)

        return [single(i) for i in range(6)]

    def check(self):
        params = [torch.tensor(p, requires_grad=True) for p in self.start()]
        w1, b1, w2, b2 = params
        x, y = torch.tensor(self.data["x"]), torch.tensor(self.data["y"])
        ((torch.tanh(x @ w1.T + b1) @ w2.T + b2 - y) ** 2).mean().backward()
        for mine, theirs in zip(self.gradient(self.start()), params):
            assert np.allclose(mine, theirs.grad.numpy(), rtol=1e-13, atol=1e-15)


class Matrices:
    """|A W - Y|^2 / 2 + sum h (k - b)^2 / 2 + |c|^2 / 2 - sum c over a matrix W, a convolution's kernel k and a vector c."""

    name = "matrices"

    def __init__(self):
        wave = lambda shape, scale, phase: np.round(scale * np.sin(1.3 * np.arange(np.prod(shape)) + phase), 3).reshape(shape)
        self.data = {
            "a": wave((3, 6), 0.7, 0.4).tolist(),
            "y": wave((3, 4), 1.1, 2.0).tolist(),
            "h": (np.abs(wave((3, 2, 2, 2), 0.8, 0.1)) + 0.2).round(3).tolist(),
            "b": wave((3, 2, 2, 2), 0.9, 1.7).tolist(),
            "start": {
                "weight": wave((6, 4), 0.9, 0.9).tolist(),
                "kernel": wave((3, 2, 2, 2), 0.5, 2.9).tolist(),
                "vector": [0.3, -0.8, 0.5],
            },
        }

    def start(self):
        return [np.array(v) for v in self.data["start"].values()]

    def loss(self, params):
        w, k, c = params
        a, y, h, b = (np.array(self.data[name], w.dtype) for name in "ayhb")
        return ((a @ w - y) ** 2).sum() / 2 + (h * (k - b) ** 2).sum() / 2 + (c * c).sum() / 2 - c.sum()

    def gradient(self, params):
        w, k, c = params
        a, y, h, b = (np.array(self.data[name], w.dtype) for name in "ayhb")
        return [a.T @ (a @ w - y), h * (k - b), c - 1]


class Square(Matrices):
    """The same with A and W square: from the first step on gradients span all directions of every axis."""

    name = "square"

    def __init__(self):
        super().__init__()
        wave = lambda shape, scale, phase: np.round(scale * np.sin(1.3 * np.arange(np.prod(shape)) + phase), 3).reshape(shape)
        self.data["a"] = (wave((4, 4), 0.4, 0.4) + np.diag([1.2, 0.9, 0.7, 1.5])).round(3).tolist()
        self.data["y"] = (wave((4, 4), 1.1, 2.0) + np.diag([1.0, -2.0, 1.5, -0.5])).round(3).tolist()
        self.data["start"] = {**self.data["start"], "weight": wave((4, 4), 0.9, 0.9).tolist()}


class Pairs:
    """sum over (i, j, y) of max(0, 1 - y (<w_i, w_j> + b_i)): at each point some rows have no gradient."""

    name = "pairs"
    data = {
        "pairs": [[5, 2, 1], [2, 4, -1], [4, 3, 1], [3, 1, -1], [0, 2, 1], [2, 5, 1]],
        "weight": [[0.7, 1.0], [-0.2, 0.6], [0.6, -0.1], [0.6, -0.9], [-0.8, -0.9], [0.7, -0.2]],
        "bias": [0.2, -0.2, 0.4, -0.2, 0.2, 0.4],
    }

    def start(self):
        return [np.array(self.data["weight"]), np.array(self.data["bias"])]

    def active(self, params):
        w, b = params
        return [(i, j, y, 1 - y * (w[i] @ w[j] + b[i])) for i, j, y in self.data["pairs"]]

    def loss(self, params):
        return sum(max(0, short) for *_, short in self.active(params))

    def gradient(self, params):
        w, b = params
        gw, gb = np.zeros_like(w), np.zeros_like(b)
        for i, j, y, short in self.active(params):
            if short > 0:
                gw[i] -= y * w[j]
                gw[j] -= y * w[i]
                gb[i] -= y
        return [gw, gb]


PROBLEMS = (Quadratic(), Rosenbrock(), Mlp())
#: For rules that treat matrices apart: `Case(..., problems=MATRICES)`.
MATRICES = (Mlp(), Matrices())
#: For rules that have directions of their own for each axis, which must not be left to rounding.
SQUARE = (Square(),)
#: For rules that treat rows without gradient apart.
ROWS = (Pairs(), Quadratic())


def at(value, t):
    """A hyperparameter at step t = 1, 2, ...: a number or a schedule in steps."""
    if not isinstance(value, dict):
        return value
    k = t - 1
    if value["kind"] == "stepDecay":
        return value["rate"] * value["factor"] ** (k // value["everySteps"])
    if value["kind"] == "constant":
        return value["rate"]
    if value["kind"] == "warmup":
        return value["from"] + (value["rate"] - value["from"]) * min(k, value["steps"]) / value["steps"]
    raise ValueError(value["kind"])


def per_leaf(rule):
    """A rule on lists of arrays from one on a single array, which keeps its memory in `s`."""

    def update(gs, xs, states, t, h):
        return [rule(g, x, s, t, h) for g, x, s in zip(gs, xs, states)]

    return update


def decayed(rule):
    """The weight decay that most rules have beside their equation: L2, or decoupled as optax's and Keras's."""

    def update(gs, xs, states, t, h):
        decay = h.get("weightDecay")
        if decay is None:
            return rule(gs, xs, states, t, h)
        if h.get("decoupled", h.get("like") in ("optax", "keras")):
            return [u - h["rate"] * decay * x for u, x in zip(rule(gs, xs, states, t, h), xs)]
        return rule([g + decay * x for g, x in zip(gs, xs)], xs, states, t, h)

    return update


def numpy_run(parts, problem, dtype=np.float64, evaluate=lambda xs, states: []):
    """
    x += u for 50 steps, where u goes through the parts: (rule on lists, its hyperparameters). Rules find the loss at x as
    h["loss"], and the functions of the parameters h["loss_at"], h["gradient_at"] and h["example_gradients_at"]. After the
    parameters stand the weights to evaluate with, where `evaluate` makes some of them and of the first part's states.
    """
    xs = [p.astype(dtype) for p in problem.start()]
    states = [[{} for _ in xs] for _ in parts]
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        us = problem.gradient(xs)
        for (rule, config), state in zip(parts, states):
            values = {k: at(v, t) for k, v in config.items()}
            further = {"loss": problem.loss(xs), "loss_at": problem.loss, "gradient_at": problem.gradient}
            further["example_gradients_at"] = getattr(problem, "example_gradients", None)
            us = rule(us, xs, state, t, {**values, **further})
        xs = [x + u for x, u in zip(xs, us)]
        assert all(x.dtype == dtype for x in xs)
        if t in STEPS:
            kept[t] = [*xs, *evaluate(xs, states[0])]
    return kept


def torch_run(make, problem, hypers=lambda t: {}, before=lambda params: None):
    params = [torch.tensor(p, requires_grad=True) for p in problem.start()]
    optimizer = make(params)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        optimizer.param_groups[0].update(hypers(t))
        for p, g in zip(params, problem.gradient([p.detach().numpy() for p in params])):
            p.grad = torch.tensor(g)
        before(params)
        optimizer.step()
        if t in STEPS:
            kept[t] = [p.detach().numpy().copy() for p in params]
    return kept


def keras_run(make, problem, hypers=lambda t: {}):
    variables = [keras.Variable(p, dtype="float64") for p in problem.start()]
    optimizer = make()
    optimizer.build(variables)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        for name, value in hypers(t).items():
            setattr(optimizer, name, value)
        optimizer.apply(problem.gradient([np.array(v) for v in variables]), variables)
        if t in STEPS:
            kept[t] = [np.array(v) for v in variables]
    return kept


def optax_run(make, problem, further=lambda params: {}):
    """`further`: what the update is given beside, such as the loss."""
    params = [jax.numpy.array(p) for p in problem.start()]
    optimizer = make()
    state = optimizer.init(params)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        gs = [jax.numpy.array(g) for g in problem.gradient([np.array(p) for p in params])]
        us, state = optimizer.update(gs, state, params, **further(params))
        params = optax.apply_updates(params, us)
        if t in STEPS:
            kept[t] = [np.array(p) for p in params]
    return kept


def flat(arrays):
    return np.concatenate([np.asarray(a, np.float64).ravel() for a in arrays])


def difference(a, b):
    """Largest difference relative to the largest parameter, over the steps kept."""
    return max(np.abs(flat(a[t]) - flat(b[t])).max() / np.abs(flat(b[t])).max() for t in STEPS)


class Case:
    """
    `config` is what `optim.fromConfig` takes; `parts` the same in NumPy; `agrees` maps a label to problem -> trajectory. With
    `evaluate` (see numpy_run) a trajectory's values are the parameters, then the weights to evaluate with. `within` is how far
    a framework may be off; more than the default needs its reason beside it.
    """

    def __init__(self, name, config, parts, agrees=None, problems=PROBLEMS, evaluate=None, within=1e-12):
        self.within = within
        self.name, self.config, self.parts, self.agrees, self.problems = name, config, parts, agrees or {}, problems
        self.evaluate = evaluate

    def run(self, problem, dtype=np.float64):
        return numpy_run(self.parts, problem, dtype, *([self.evaluate] if self.evaluate else []))

    def record(self):
        trajectories, rounding = {}, 0.0
        for problem in self.problems:
            exact = self.run(problem)
            for label, run in self.agrees.items():
                found = difference(run(problem), exact)
                assert found < self.within, f"{self.name} on {problem.name}: {label} differs by {found:.2e}"
            rounding = max(rounding, difference(self.run(problem, np.float32), exact))
            values = {str(t): [float(f"{v:.13g}") for v in flat(exact[t])] for t in STEPS}
            assert all(np.isfinite(v).all() and np.abs(v).max() < 10 for v in values.values()), (self.name, problem.name)
            trajectories[problem.name] = values
        return {
            "name": self.name,
            "config": self.config,
            "oracle": "the published equation in NumPy, float64",
            "agreesWith": sorted(self.agrees),
            **({"evaluates": True} if self.evaluate else {}),
            "rounding": float(f"{rounding:.1e}"),
            "trajectories": trajectories,
        }


def single(rule, name, *, assumed={}, **hypers):
    """Config and NumPy parts of a rule that stands alone. `assumed` is what it takes where the config leaves it out."""
    return {"name": name, **hypers}, [(decayed(rule), {**assumed, **hypers})]
