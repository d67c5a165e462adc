"""Writes openapi/openapi.json from the application; with --check, fails when the committed one is stale."""

import argparse
import json
import sys
from pathlib import Path

from app.main import create_app

DOCUMENT = Path(__file__).parent.parent / "openapi" / "openapi.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the document is stale")
    made = json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n"
    if not parser.parse_args().check:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(made, encoding="utf-8")
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == made:
        return 0
    print(f"{DOCUMENT.name} is stale: run `make openapi` and commit the result", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
