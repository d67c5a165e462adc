"""The modules that programs may import beside ``torch``, each a table of names. One more stands in one line here."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.program.modules.collections import COLLECTIONS
from app.program.modules.copy import COPY
from app.program.modules.io import IO
from app.program.modules.itertools import ITERTOOLS
from app.program.modules.math import CMATH, MATH
from app.program.modules.numpy.module import NUMPY_MODULES
from app.program.modules.operator import OPERATOR
from app.program.modules.ordering import BISECT, HEAPQ
from app.program.modules.progress import TQDM
from app.program.modules.random import RANDOM
from app.program.modules.re import RE
from app.program.modules.statistics import STATISTICS
from app.program.modules.string import STRING
from app.program.modules.texts import JSON, UNICODEDATA
from app.program.modules.time import TIME
from app.program.modules.warnings import WARNINGS
from app.program.modules.wrapping import PPRINT, TEXTWRAP

MODULES: Final = MappingProxyType({
    "bisect": BISECT, "cmath": CMATH, "collections": COLLECTIONS, "copy": COPY, "heapq": HEAPQ, "io": IO,
    "itertools": ITERTOOLS, "json": JSON, "math": MATH, "operator": OPERATOR, "pprint": PPRINT, "random": RANDOM,
    "re": RE, "statistics": STATISTICS, "string": STRING, "textwrap": TEXTWRAP, "time": TIME, "tqdm": TQDM,
    "tqdm.auto": TQDM, "tqdm.notebook": TQDM, "unicodedata": UNICODEDATA, "warnings": WARNINGS,
    **NUMPY_MODULES,
})  # fmt: skip
