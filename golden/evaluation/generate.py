"""
What scikit-learn says of classifiers and regressions on whole data sets; the calibration in NumPy, as Guo et al. (2017).

    .venv/bin/python golden/evaluation/generate.py        (the environment of golden/README.md)
"""
import json
import os
import warnings
import numpy as np
from sklearn import metrics as sk

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def calibration(p, y, bins=15):
    confidence, right = p.max(1), p.argmax(1) == y
    place = np.minimum(bins - 1, np.floor(confidence * bins).astype(int))
    rows = []
    for b in range(bins):
        inside = place == b
        n = int(inside.sum())
        rows.append([n, float(confidence[inside].mean()) if n else 0.0, float(right[inside].mean()) if n else 0.0])
    gaps = np.array([[n, abs(a - c)] for n, c, a in rows])
    return {"bins": rows, "expectedError": float((gaps[:, 0] * gaps[:, 1]).sum() / len(y)), "largestError": float(gaps[:, 1].max())}


def classifier(name, logits, labels):
    classes = logits.shape[1]
    p, said, all_classes = softmax(logits), logits.argmax(1), list(range(logits.shape[1]))
    precision, recall, f1, support = sk.precision_recall_fscore_support(labels, said, labels=all_classes, zero_division=0)
    own = p[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(said != labels)
    worst = wrong[np.argsort(-(-np.log(own[wrong])), kind="stable")][:5]
    seen = sorted(set(labels) | set(said))

    def average(kind):
        return [float(v) for v in sk.precision_recall_fscore_support(labels, said, labels=seen, average=kind, zero_division=0)[:3]]

    return {
        "name": name,
        "logits": logits.tolist(),
        "labels": labels.tolist(),
        "accuracy": float(sk.accuracy_score(labels, said)),
        **({"top5Accuracy": float(sk.top_k_accuracy_score(labels, logits, k=5, labels=all_classes))} if classes > 5 else {}),
        "crossEntropy": float(sk.log_loss(labels, p, labels=all_classes)),
        "brier": float(((p - np.eye(classes)[labels]) ** 2).sum(1).mean()),
        "perClass": [[float(a), float(b), float(c), int(d)] for a, b, c, d in zip(precision, recall, f1, support)],
        "macro": average("macro"),
        "weighted": average("weighted"),
        "confusion": sk.confusion_matrix(labels, said, labels=all_classes).tolist(),
        "calibration": calibration(p, labels),
        "worst": [[int(i), int(labels[i]), int(said[i]), float(p[i].max()), float(own[i])] for i in worst],
    }


def regression(name, predicted, target):
    return {
        "name": name,
        "predicted": predicted.tolist(),
        "target": target.tolist(),
        "meanAbsoluteError": float(sk.mean_absolute_error(target, predicted)),
        "rootMeanSquaredError": float(np.sqrt(sk.mean_squared_error(target, predicted))),
        "r2": float(sk.r2_score(target, predicted)),
        "r2OfOutputs": [float(v) for v in sk.r2_score(target, predicted, multioutput="raw_values")],
        "bias": float((predicted - target).mean()),
        "worst": np.argsort(-np.linalg.norm(predicted - target, axis=1), kind="stable")[:3].tolist(),
    }


def eighths(*shape, scale=1.0):
    return np.round(rng.standard_normal(shape) * scale * 8) / 8


# Class 3 is never answered, class 4 has no sample.
few = eighths(83, 5, scale=2)
few[:, 3] -= 16
few_labels = rng.integers(0, 4, 83)
many = eighths(150, 9, scale=1.5)
many_labels = rng.integers(0, 9, 150)
many[np.arange(150), many_labels] += 2
target = eighths(40, 2, scale=3)
result = {
    "classification": [classifier("five classes", few, few_labels), classifier("nine classes", many, many_labels)],
    "regression": [
        regression("two outputs", target + eighths(40, 2), target),
        regression("a target that never changes", eighths(12, 1), np.full((12, 1), 2.0)),
    ],
}
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "evaluation.json"), "w") as f:
    json.dump(result, f, separators=(",", ":"))
    f.write("\n")
