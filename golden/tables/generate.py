"""
A table in CSV and what pandas and NumPy make of it: what standardises, fills and numbers comes from the training rows alone,
then all rows are encoded.
"""
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd

ROWS, TRAINING = 80, 60
rng = np.random.default_rng(7)
streets = [f"street {i:02}" for i in range(24)]
frame = pd.DataFrame(
    {
        "area": np.round(rng.normal(80, 25, ROWS), 2),
        "rooms": rng.integers(1, 6, ROWS),
        "garden": rng.choice(["no", "yes"], ROWS),
        "city": rng.choice(["Bonn", "Köln", "Ulm"], ROWS),
        "street": rng.choice(streets, ROWS),
        "sold": (pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 800, ROWS), "D")).strftime("%Y-%m-%d"),
        "seen": (pd.Timestamp("2024-02-01") + pd.to_timedelta(rng.integers(0, 4_000_000, ROWS), "s")).strftime("%Y-%m-%dT%H:%M:%S"),
        "price": np.round(rng.lognormal(12, 0.5, ROWS), 1),
    }
).astype({"rooms": object})
for name in ("area", "rooms", "garden", "city", "street", "sold"):
    frame.loc[rng.choice(ROWS, 5, replace=False), name] = None
# A city that no training row has.
frame.loc[ROWS - 2, "city"] = "Trier"
csv = frame.to_csv(index=False)

data = pd.read_csv(io.StringIO(csv), parse_dates=["sold", "seen"])
train = data.iloc[:TRAINING]
numbers, names = [], []


def add(name, values):
    names.append(name)
    numbers.append(np.asarray(values, np.float64))


def standard(values, known):
    return (values - known.mean()) / known.std(ddof=0)


def year(dates):
    start = pd.to_datetime(dates.dt.year.astype("Int64").astype(str).replace("<NA>", "NaT") + "-01-01", errors="coerce")
    following = start + pd.DateOffset(years=1)
    return dates.dt.year + (dates - start) / (following - start)


for name in ("area", "rooms"):
    known = train[name].dropna().astype(float)
    add(name, standard(data[name].astype(float).fillna(known.mean()), known))
    add(f"{name} missing", data[name].isna())
add("garden", data["garden"].map({"no": -1, "yes": 1}).fillna(0))
add("garden missing", data["garden"].isna())
for level in sorted(train["city"].dropna().unique()):
    add(f"city {level}", data["city"] == level)
add("city missing", data["city"].isna())
for name, times in (("sold", False), ("seen", True)):
    dates = data[name]
    cycles = [(dates.dt.month - 1) / 12, ((dates.dt.dayofweek + 1) % 7) / 7]
    if times:
        cycles.append((dates - dates.dt.normalize()) / pd.Timedelta("1D"))
    add(f"{name} year", standard(year(dates), year(train[name]).dropna()).fillna(0))
    for i, turn in enumerate(cycles):
        add(f"{name} sin {i}", np.sin(2 * np.pi * turn).fillna(0))
        add(f"{name} cos {i}", np.cos(2 * np.pi * turn).fillna(0))
    if train[name].isna().any():
        add(f"{name} missing", dates.isna())

# Levels with one training row alone count as another value: 0; then missing, then the levels.
counts = train["street"].value_counts()
levels = sorted(counts[counts >= 2].index)
street = data["street"].map({level: 2 + i for i, level in enumerate(levels)}).fillna(0).astype(int)
street[data["street"].isna()] = 1

out = {
    "csv": csv,
    "training": TRAINING,
    "names": names,
    "numbers": np.stack(numbers, 1).tolist(),
    "categories": street.tolist(),
    "levels": 2 + len(levels),
    "medians": {name: float(train[name].astype(float).median()) for name in ("area", "rooms")},
    "target": {"mean": float(train["price"].mean()), "std": float(train["price"].std(ddof=0))},
    "targets": standard(data["price"], train["price"]).tolist(),
    "pandas": pd.__version__,
}
assert all(np.isfinite(column).all() for column in numbers)
Path(__file__).with_name("tables.json").write_text(json.dumps(out, ensure_ascii=False))
