"""Writes problems.json, and <rule>.json for each rule's script beside this one (or for the rules named)."""

import importlib
import json
import pathlib
import re
import sys

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here))

from common import MATRICES, PROBLEMS, ROWS, SQUARE, VERSIONS  # noqa: E402


def write(path, value):
    """One list of numbers a line."""
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[[^\[\]{}\"]*\]", lambda m: re.sub(r"\s+", "", m.group()).replace(",", ", "), text)
    path.write_text(text + "\n")


scripts = sorted(p.stem for p in here.glob("*.py") if p.stem not in ("common", "generate"))
next(p for p in PROBLEMS if p.name == "mlp").check()
write(here / "problems.json", {p.name: p.data for p in (*PROBLEMS, *MATRICES, *SQUARE, *ROWS)})
for name in sys.argv[1:] or scripts:
    cases = [case.record() for case in importlib.import_module(name).cases()]
    rule = name.replace("_", "-")
    write(here / f"{rule}.json", {"generator": f"golden/optim/{name}.py", "versions": VERSIONS, "cases": cases})
    for case in cases:
        print(f"{rule}: {case['name']}: rounding {case['rounding']:.0e}, agrees with {', '.join(case['agreesWith']) or '-'}")
