"""Writes down which public functions and methods PyTorch has, and why some are not here: ``public_names.tsv``.

The names are those of ``torch.overrides.get_overridable_functions()``; whoever has PyTorch runs ``python -m
tests.golden.record_public_names``. Names without a reason are here, which ``tests/engine/surface/test_public_names.py``
compares with the registry.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

HERE = "here"
TARGET = Path(__file__).parent / "public_names.tsv"

EXCLUDED = {
    r"fbgemm|choose_qparams|quantize(_|$)|quantized_|fake_quant": "quantised tensors",
    r"int_repr|\.q_(per|scale|zero)|qscheme": "quantised tensors",
    r"miopen|batch_norm_(backward|elemt|gather|stats|update)": "other devices",
    r"Tensor\.(cuda|ipu|mtia|xpu|pin_memory|record_stream|__cuda_array_interface__)$": "other devices",
    r"\.((ccol|col|crow|row)_|_)?indices(_copy)?$|\._?values(_copy)?$|coalesce": "sparse tensors",
    r"\.(_nnz|_dim[IV]|(dense|sparse)_dim|hspmm|s?spmm|smm|sspaddmm|to_sparse|resize_as_sparse_)$": "sparse tensors",
    r"sparse_(mask|resize)": "sparse tensors",
    r"to_mkldnn": "memory of oneDNN",
    r"_nested_tensor": "nested tensors",
    r"\._?sym_": "symbolic numbers of the compiler",
    r"hash_tensor": "gives unsigned integers of 64 bits, a dtype that is not here",
    r"chalf": "complex numbers of 32 bits, for which NumPy has no dtype",
    r"native_norm": "PyTorch has it for sparse tensors alone",
    r"slice_inverse": "inner to functionalisation, and reads beyond its memory",
    r"autocast": "casts by context, which PyTorch does for models on accelerators",
    r"storage_type$|const_data_ptr|_cdata": "memory as an object, which programs do not see here",
    r"Tensor\._(backward|post_accumulate_grad)_hooks$": "inner to PyTorch's tensors",
    r"__array|__dlpack|__setstate__|_clear_non|module_load": "protocols of Python objects",
    r"Tensor\.resize(_as)?$": "deprecated in PyTorch: reshape",
    r"Tensor\.(index|_grad|_grad_fn|_to_dense|_autocast.*)$": "inner to PyTorch's tensors",
}  # fmt: skip


def public_names() -> list[str]:
    """Every name once, as programs write it."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        listed: Any = torch.overrides.get_overridable_functions()
        names = {torch.overrides.resolve_name(function) for functions in listed.values() for function in functions}
    plain = (str(name).replace("torch.functional.", "torch.") for name in names if name is not None)
    return sorted({name.removesuffix(".__get__") for name in plain})


def reason(name: str) -> str | None:
    """Why a name is not here, if it is not."""
    return next((f"excluded: {why}" for pattern, why in EXCLUDED.items() if re.search(pattern, name)), None)


def main() -> None:
    """Write the table."""
    lines = [f"{name}\t{reason(name) or HERE}\n" for name in public_names()]
    TARGET.write_text("".join(lines))


if __name__ == "__main__":
    main()
