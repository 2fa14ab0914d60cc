"""Plain functions over values: a call per unit, whose own arguments the init call of the step hands out.

Both functions here are function units. What the plain function returns is the value of its unit's output.
"""

from __future__ import annotations

from pydantic import JsonValue

from treadle.execute.functions import call_function

FIRST_VALUE = 1
"""Index of the first unit that calls the function: the one before hands out arguments."""


def hand_out(calls: list[dict[str, JsonValue]], zarr_dir: str) -> dict[str, object]:
    """Return a unit for each call, in order.

    Args:
        calls: The arguments of each call that differ from one to the next.
        zarr_dir: Folder in which units are named.
    """
    return {
        "parallelization_list": [
            {"zarr_url": f"{zarr_dir}/{number}", "init_args": arguments}
            for number, arguments in enumerate(calls)
        ]
    }


def call(
    function: str, arguments: dict[str, JsonValue], init_args: dict[str, JsonValue]
) -> dict[str, object]:
    """Call a plain function.

    Args:
        function: As `find_function` takes it.
        arguments: Its arguments that are the same in all calls.
        init_args: Those of this call.
    """
    return {"value": call_function(function, {**arguments, **init_args})}
