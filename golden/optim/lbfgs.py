"""
Line searches branch, so the frameworks themselves are the oracles, in double precision. `rounding` is how far their own runs
in single precision go away from those, from starts that differ by rounding: near a minimum differences of gradients are all
rounding, so that trajectories spread further than those of other rules. Without a line search they part altogether on
Rosenbrock's function, even in double precision.
"""

import functools

import jax
import numpy as np
import optax
import torch

from common import PROBLEMS, STEPS, VERSIONS, at, difference, flat

QUADRATIC, _, MLP = PROBLEMS
DROPPING = {"kind": "stepDecay", "rate": 0.9, "everySteps": 5, "factor": 0.6}


def torch_run(options, hypers=lambda t: {}):
    def run(problem, start):
        params = [torch.tensor(p, requires_grad=True) for p in start]
        optimizer = torch.optim.LBFGS(params, **options)

        def closure():
            xs = [p.detach().numpy() for p in params]
            for p, g in zip(params, problem.gradient(xs)):
                p.grad = torch.tensor(g)
            return torch.tensor(problem.loss(xs))

        kept = {}
        for t in range(1, STEPS[-1] + 1):
            optimizer.param_groups[0].update(hypers(t))
            optimizer.step(closure)
            if t in STEPS:
                kept[t] = [p.detach().numpy().copy() for p in params]
        return kept

    return run


def loss_of(problem, dtype):
    """The problem's loss to jax, with the gradient that NumPy computes."""
    arrays = lambda xs: [np.array(x) for x in xs]
    shapes = lambda xs: [jax.ShapeDtypeStruct(x.shape, dtype) for x in xs]

    @jax.custom_vjp
    def loss(xs):
        found = lambda xs: np.asarray(problem.loss(arrays(xs)), dtype)
        return jax.pure_callback(found, jax.ShapeDtypeStruct((), dtype), xs)

    def backward(xs, g):
        found = lambda xs: [np.asarray(d, dtype) for d in problem.gradient(arrays(xs))]
        return (jax.tree.map(lambda d: g * d, jax.pure_callback(found, shapes(xs), xs)),)

    loss.defvjp(lambda xs: (loss(xs), xs), backward)
    return loss


def optax_run(make):
    @functools.cache
    def compiled(problem, dtype):
        loss = loss_of(problem, dtype)
        optimizer = make()

        def step(params, state):
            value, gradients = jax.value_and_grad(loss)(params)
            updates, state = optimizer.update(gradients, state, params, value=value, grad=gradients, value_fn=loss)
            return optax.apply_updates(params, updates), state

        return optimizer.init, jax.jit(step)

    def run(problem, start):
        init, step = compiled(problem, start[0].dtype)
        params = [jax.numpy.array(p) for p in start]
        state = init(params)
        kept = {}
        for t in range(1, STEPS[-1] + 1):
            params, state = step(params, state)
            if t in STEPS:
                kept[t] = [np.array(p) for p in params]
        return kept

    return run


def moved(start, seed):
    """Parameters that are up to one unit of single precision's rounding away."""
    random = np.random.default_rng(seed)
    return [p * (1 + random.choice([-1, 0, 1], p.shape) * 2.0**-23) for p in start]


class Case:
    def __init__(self, name, config, oracle, run, problems=PROBLEMS):
        self.name, self.config, self.oracle, self.run, self.problems = name, config, oracle, run, problems

    def record(self):
        trajectories, rounding = {}, 0.0
        for problem in self.problems:
            exact = self.run(problem, problem.start())
            for seed in range(8):
                start = [p.astype(np.float32) for p in moved(problem.start(), seed)]
                rounding = max(rounding, difference(self.run(problem, start), exact))
            values = {str(t): [float(f"{v:.13g}") for v in flat(exact[t])] for t in STEPS}
            assert all(np.isfinite(v).all() and np.abs(v).max() < 10 for v in values.values()), (self.name, problem.name)
            trajectories[problem.name] = values
        library = self.oracle.split(".")[0]
        return {
            "name": self.name,
            "config": {"name": "lbfgs", **self.config},
            "oracle": f"{self.oracle} {VERSIONS[library]}, float64",
            "agreesWith": [self.oracle],
            "rounding": float(f"{rounding:.1e}"),
            "trajectories": trajectories,
        }


def cases():
    def pytorch(name, config, options, hypers=lambda t: {}):
        problems = PROBLEMS if "line_search_fn" in options else (QUADRATIC, MLP)
        return Case(name, config, "torch.optim.LBFGS", torch_run(options, hypers), problems)

    yield pytorch("defaults, PyTorch's: no line search", {}, {})
    yield pytorch(
        "no line search: 4 iterations of rate 0.3, 3 pairs",
        {"rate": 0.3, "maxIterations": 4, "history": 3},
        {"lr": 0.3, "max_iter": 4, "history_size": 3},
    )
    strong = {"line_search_fn": "strong_wolfe"}
    yield pytorch("strong Wolfe search", {"lineSearch": "strong-wolfe"}, strong)
    yield pytorch(
        "strong Wolfe search: 3 iterations, 3 pairs, rate that changes mid-run",
        {"rate": DROPPING, "lineSearch": "strong-wolfe", "maxIterations": 3, "history": 3},
        {"max_iter": 3, "history_size": 3, **strong},
        hypers=lambda t: {"lr": at(DROPPING, t)},
    )
    yield pytorch(
        "strong Wolfe search: first steps too long, few evaluations, wide tolerances",
        {
            "rate": 6,
            "lineSearch": "strong-wolfe",
            "maxIterations": 6,
            "maxEvaluations": 5,
            "toleranceGradient": 1e-3,
            "toleranceChange": 1e-5,
            "like": "pytorch",
        },
        {"lr": 6, "max_iter": 6, "max_eval": 5, "tolerance_grad": 1e-3, "tolerance_change": 1e-5, **strong},
    )

    like = {"like": "optax"}
    yield Case("like optax: its defaults, zoom search", like, "optax.lbfgs", optax_run(optax.lbfgs))
    yield Case(
        "like optax: 3 pairs, unscaled, rate that changes mid-run, 6 evaluations a search",
        {**like, "rate": DROPPING, "history": 3, "scaleInitial": False, "maxEvaluations": 6},
        "optax.lbfgs",
        optax_run(
            lambda: optax.lbfgs(
                lambda k: 0.9 * 0.6 ** (k // 5),
                memory_size=3,
                scale_init_precond=False,
                linesearch=optax.scale_by_zoom_linesearch(max_linesearch_steps=6, initial_guess_strategy="one"),
            )
        ),
    )
    yield Case(
        "like optax: first steps too long",
        {**like, "rate": 3},
        "optax.lbfgs",
        optax_run(lambda: optax.lbfgs(3.0)),
    )
    yield Case(
        "like optax: no line search",
        {**like, "rate": 0.3, "history": 3, "lineSearch": "none"},
        "optax.lbfgs",
        optax_run(lambda: optax.lbfgs(0.3, memory_size=3, linesearch=None)),
        problems=(QUADRATIC, MLP),
    )
