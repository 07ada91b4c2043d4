"""A program: run models on given inputs, and write what their outputs hold.

python pi_outputs.py INPUTS.npz OUTPUTS.npz DELEGATE MODEL...
"""

import sys
from pathlib import Path

import numpy as np

from edgekit.runtime import load


def main(inputs: str, outputs: str, delegate: str, *models: str) -> None:
    results = {}
    with np.load(inputs) as given:
        for path in map(Path, models):
            model = load(path, delegate=delegate, probe=False, threads=1)
            made = model.raw(given[path.name])
            for name, values in (made if isinstance(made, dict) else {"": made}).items():
                results[f"{path.name} {name}".strip()] = values
    np.savez(outputs, **results)  # type: ignore[arg-type] # names of models and outputs


if __name__ == "__main__":
    main(*sys.argv[1:])
