"""
Runs the families named, or all of them: each is a script beside this file that writes the JSON file of its name.

    .venv/bin/python golden/nn/generate.py conv pooling        (the environment of golden/README.md)
"""
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
known = sorted(name[:-3] for name in os.listdir(here) if name.endswith(".py") and name not in ("generate.py", "common.py"))
for family in sys.argv[1:] or known:
    if family not in known:
        sys.exit(f"{family}: no such family; expected {', '.join(known)}")
    subprocess.run([sys.executable, os.path.join(here, f"{family}.py")], check=True)
