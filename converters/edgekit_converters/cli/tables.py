"""How results of the heavy half look on a terminal."""

import json

from edgekit.cli.common import Document


def show_conversion(document: Document) -> None:
    print(json.dumps(document, indent=1))


def show_artifact(document: Document) -> None:
    print(json.dumps(document, indent=1))
