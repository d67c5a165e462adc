"""Every public function and method of PyTorch is here, or the table says why it is not."""

from __future__ import annotations

import engine
from engine import registry
from tests.paths import GOLDEN

TABLE = dict(line.split("\t") for line in (GOLDEN / "public_names.tsv").read_text().splitlines())
EXCLUDED = "excluded: "


def is_here(name: str) -> bool:
    kind, _, rest = name.removeprefix("torch.").rpartition(".")
    if kind not in ("Tensor", "TensorBase"):
        return registry.function(name.removeprefix("torch.")) is not None
    if rest.startswith("__"):
        return hasattr(engine.Tensor, rest)
    return registry.method(rest) is not None or registry.attribute(rest) is not None


def test_every_name_is_here_or_excluded_for_a_reason() -> None:
    assert len(TABLE) > 1300
    assert {name for name, status in TABLE.items() if status != "here" and len(status) <= len(EXCLUDED)} == set()
    listed = {name for name, status in TABLE.items() if status == "here"}
    found = {name for name in TABLE if is_here(name)}
    assert sorted(listed - found) == [], "the table says that they are here"
    assert sorted(found - listed) == [], "the table says that they are not here"
