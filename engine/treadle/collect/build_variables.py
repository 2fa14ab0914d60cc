"""Variables that somebody else's build code may see: an allow-list, since secrets have any name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_PASSED = re.compile(
    r"(PATH|LANG|LANGUAGE|LC_\w+|TZ|SOURCE_DATE_EPOCH|CC|CXX|CPP|FC|F77|F90|AR|AS|LD|NM|RANLIB|STRIP|CPPFLAGS"
    r"|CFLAGS|CXXFLAGS|FFLAGS|FCFLAGS|LDFLAGS|LDSHARED|ARCHFLAGS|MAKEFLAGS|CPATH|C_INCLUDE_PATH"
    r"|CPLUS_INCLUDE_PATH|LIBRARY_PATH|LD_LIBRARY_PATH|PKG_CONFIG_PATH|CMAKE_PREFIX_PATH|CUDA_HOME)"
)


def build_variables(inherited: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """All that build code sees; its home and its temporary folder are made below `scratch`."""
    for name in ("home", "tmp"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    passed = {name: value for name, value in inherited.items() if _PASSED.fullmatch(name)}
    return {
        "PATH": os.defpath,
        **passed,
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
