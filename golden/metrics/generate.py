"""
Metrics over whole data sets, from scikit-learn; the calibration error in NumPy, as torchmetrics defines it. The tests cut
the rows into unequal batches. Cases name their arrays by number.

    .venv/bin/python golden/metrics/generate.py        (the environment of golden/README.md)
"""
import json
import math
import os
import warnings
import numpy as np
from sklearn import metrics as sk

warnings.simplefilter("ignore")
rng = np.random.default_rng(20240229)
cases = []
arrays = []


def numbers(*shape, scale=1.0):
    return np.round(rng.standard_normal(shape) * scale * 32) / 32


def pack(array):
    array = np.asarray(array)
    packed = {"shape": list(array.shape), "data": array.flatten().tolist(), "dtype": "f32" if array.dtype.kind == "f" else "i32"}
    if packed not in arrays:
        arrays.append(packed)
    return arrays.index(packed)


def plain(value):
    if isinstance(value, (list, np.ndarray)):
        return [plain(v) for v in value]
    value = float(value)
    return "NaN" if math.isnan(value) else value


def case(config, output, target, value, name=""):
    kind = {"kind": config} if isinstance(config, str) else config
    label = name or ", ".join(f"{k} {v}" for k, v in kind.items() if k != "kind")
    cases.append({"name": kind["kind"] + (f": {label}" if label else ""), "config": kind, "output": pack(output), "target": pack(target), "value": plain(value)})


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


N, C = 61, 5
logits = numbers(N, C)
# Class 4 has no label, class 3 is never answered; neither is in the second set.
labels = rng.integers(0, 4, N)
logits[:, 3] -= 8
said = logits.argmax(1)
sparse = numbers(7, C) + np.array([0, 0, 0, -9, -9])
few = np.array([0, 1, 2, 1, 0, 2, 1])
ignored = labels.copy()
ignored[::7] = -100
kept = ignored != -100

case("accuracy", logits, labels, sk.accuracy_score(labels, said))
case("accuracy", logits, ignored, sk.accuracy_score(labels[kept], said[kept]), "ignoring")
case({"kind": "accuracy", "ignoreIndex": 1}, logits, labels, sk.accuracy_score(labels[labels != 1], said[labels != 1]))
z, y = numbers(31, 7), rng.integers(0, 7, 31)
for k in (1, 2, 5, 7):
    case({"kind": "topAccuracy", "k": k}, z, y, sk.top_k_accuracy_score(y, z + np.arange(7) * -1e-6, k=k, labels=range(7)))
for kind, f in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score), ("jaccard", sk.jaccard_score)):
    for average in ("macro", "micro", "weighted"):
        case({"kind": kind, "average": average}, logits, labels, f(labels, said, average=average, zero_division=0))
    case({"kind": kind, "average": "none"}, logits, labels, f(labels, said, average=None, labels=range(C), zero_division=0))
    case(kind, sparse, few, f(few, sparse.argmax(1), average="macro", zero_division=0), "classes that are nowhere")
    case(kind, logits, ignored, f(labels[kept], said[kept], average="macro", zero_division=0), "ignoring")
case({"kind": "fBeta", "beta": 2}, logits, labels, sk.fbeta_score(labels, said, beta=2, average="macro", zero_division=0))
case({"kind": "fBeta", "beta": 0.5, "average": "weighted"}, logits, labels, sk.fbeta_score(labels, said, beta=0.5, average="weighted", zero_division=0))
case("confusionMatrix", logits, labels, sk.confusion_matrix(labels, said, labels=range(C)))
case("confusionMatrix", logits, ignored, sk.confusion_matrix(labels[kept], said[kept], labels=range(C)), "ignoring")
case("cohenKappa", logits, labels, sk.cohen_kappa_score(labels, said))
case("matthewsCorrelation", logits, labels, sk.matthews_corrcoef(labels, said))
case("balancedAccuracy", logits, labels, sk.balanced_accuracy_score(labels, said))

# One label of yes and no: scores that tie, as [N] and [N, 1], targets as numbers and whole.
score = np.round(numbers(N) * 4) / 4
yes = (numbers(N) + score > 0.25).astype(int)
answer = (score > 0).astype(int)
for kind, f in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score), ("jaccard", sk.jaccard_score)):
    case(kind, score, yes, f(yes, answer), "yes and no")
    case({"kind": kind, "threshold": 0.5}, score[:, None], yes.astype(float), f(yes, score > 0.5), "yes and no, [N, 1]")
    case(kind, -np.abs(score) - 1, yes, 0, "never yes")
case("binaryAccuracy", score, yes, sk.accuracy_score(yes, answer))
case({"kind": "binaryAccuracy", "threshold": 0.5}, score[:, None], yes, sk.accuracy_score(yes, score > 0.5))
case("confusionMatrix", score, yes, sk.confusion_matrix(yes, answer), "yes and no")
case("cohenKappa", score, yes, sk.cohen_kappa_score(yes, answer), "yes and no")
case("matthewsCorrelation", score[:, None], yes, sk.matthews_corrcoef(yes, answer), "yes and no")
case("matthewsCorrelation", np.abs(score) + 1, yes, 0, "always yes")
case("rocAuc", score, yes, sk.roc_auc_score(yes, score), "yes and no")
case("averagePrecision", score[:, None], yes.astype(float), sk.average_precision_score(yes, score), "yes and no")
case("rocAuc", np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]), 0.75, "of the documentation")
case("rocAuc", score, np.ones(N, int), math.nan, "only yes")
case("averagePrecision", score, np.zeros(N, int), 0, "never yes")
case("averagePrecision", score, np.ones(N, int), 1, "only yes")

# Labels at once: the third has no example, the fourth all.
many = numbers(N, 4)
has = (numbers(N, 4) + many > 0).astype(float)
has[:, 2] = 0
has[:, 3] = 1
for kind, f in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score), ("jaccard", sk.jaccard_score)):
    for average in ("macro", "micro", "weighted"):
        case({"kind": kind, "average": average}, many, has, f(has, many > 0, average=average, zero_division=0), f"labels at once, {average}")
case("binaryAccuracy", many, has, ((many > 0) == has).mean(), "labels at once")
aps = sk.average_precision_score(has, many, average=None)
case("averagePrecision", many, has, aps.mean(), "labels at once")
case({"kind": "averagePrecision", "average": "weighted"}, many, has, sk.average_precision_score(has, many, average="weighted"), "labels at once, weighted")
case({"kind": "rocAuc", "average": "none"}, many, has, [sk.roc_auc_score(has[:, i], many[:, i]) if 0 < has[:, i].sum() < N else math.nan for i in range(4)], "labels at once, each")
case("rocAuc", many, has, sk.roc_auc_score(has[:, :2], many[:, :2]), "labels at once")

# Classes against the rest.
z, y = numbers(N, 3), rng.integers(0, 3, N)
p = softmax(z)
for average in ("macro", "weighted"):
    case({"kind": "rocAuc", "average": average}, z, y, sk.roc_auc_score(y, p, multi_class="ovr", average=average))
    case({"kind": "averagePrecision", "average": average}, z, y, sk.average_precision_score(y, p, average=average))
case({"kind": "rocAuc", "logits": False}, z, y, np.mean([sk.roc_auc_score(y == c, z[:, c]) for c in range(3)]))
skipped = np.where(np.arange(N) % 5 == 0, -100, y)
case("rocAuc", z, skipped, sk.roc_auc_score(y[skipped >= 0], p[skipped >= 0], multi_class="ovr"), "ignoring")

case("perplexity", z, y, math.exp(sk.log_loss(y, p)))
case("perplexity", z, skipped, math.exp(sk.log_loss(y[skipped >= 0], p[skipped >= 0])), "ignoring")


def calibration(confidence, right, bins, norm):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.array([abs(right[place == b].mean() - confidence[place == b].mean()) if (place == b).any() else 0 for b in range(bins)])
    share = np.array([(place == b).mean() for b in range(bins)])
    return {"l1": (gap * share).sum(), "l2": math.sqrt((gap**2 * share).sum()), "max": gap.max()}[norm]


right = (p.argmax(1) == y).astype(float)
case("calibrationError", z, y, calibration(p.max(1), right, 15, "l1"))
for norm in ("l2", "max"):
    case({"kind": "calibrationError", "bins": 7, "norm": norm}, z, y, calibration(p.max(1), right, 7, norm))
case("calibrationError", z, skipped, calibration(p.max(1)[skipped >= 0], right[skipped >= 0], 15, "l1"), "ignoring")
case("calibrationError", score * 1.1, yes, calibration(1 / (1 + np.exp(-score * 1.1)), yes, 15, "l1"), "yes and no")
case({"kind": "calibrationError", "logits": False}, np.array([0.0, 0.3, 1.0, 0.55]), np.array([0, 0, 1, 1]), calibration(np.array([0.0, 0.3, 1.0, 0.55]), np.array([0, 0, 1, 1]), 15, "l1"), "probabilities")

out, want = numbers(N, 3), numbers(N, 3) + [0, 1000, -3]
case("meanAbsoluteError", out, want, sk.mean_absolute_error(want, out))
case("meanSquaredError", out, want, sk.mean_squared_error(want, out))
case("rootMeanSquaredError", out[:, 0], want[:, 0], math.sqrt(sk.mean_squared_error(want[:, 0], out[:, 0])))
close = want + numbers(N, 3, scale=0.25)
case("r2", close[:, 1], want[:, 1], sk.r2_score(want[:, 1], close[:, 1]))
case("r2", out, want, sk.r2_score(want, out))
case({"kind": "r2", "multioutput": "variance"}, close, want, sk.r2_score(want, close, multioutput="variance_weighted"))
case("r2", np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0]), sk.r2_score([1, 1, 1], [1, 1, 1]), "of constants")
case("r2", np.array([1.0, 2.0, 1.0]), np.array([1.0, 1.0, 1.0]), sk.r2_score([1, 1, 1], [1, 2, 1]), "of a constant target")

place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json")
with open(place, "w") as file:
    lists = [",\n".join(json.dumps(each, separators=(",", ":")) for each in part) for part in (arrays, cases)]
    file.write('{"arrays":[\n%s\n],\n"cases":[\n%s\n]}\n' % tuple(lists))
print(f"{len(cases)} cases, {os.path.getsize(place)} bytes")
