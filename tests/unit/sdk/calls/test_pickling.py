"""Functions that travel by value: whatever they are made of they are the same there, and a job makes them without cloudpickle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cloudpickle
import pytest

from slurm.sdk.calls import pickling

STEP = 2


def _there(value: Any) -> Any:
    data, found = pickling.dumps(value)
    assert found == []
    return pickling.loads(data)


def _factorial() -> Callable[[int], int]:
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    return factorial


def _even() -> Callable[[int], bool]:
    def even(number: int) -> bool:
        return number == 0 or odd(number - 1)

    def odd(number: int) -> bool:
        return number != 0 and even(number - 1)

    return even


def _counter() -> Callable[[int], int]:
    total = 0

    def count(number: int) -> int:
        nonlocal total
        total += number * STEP
        return total

    return count


def _with_a_class() -> Callable[[int], int]:
    class Doubler:
        factor = 2

        def __init__(self, number: int) -> None:
            self.number = number

        def value(self) -> int:
            return super().__hash__() * 0 + self.number * self.factor

    return lambda number: Doubler(number).value()


def _defaults() -> Callable[[int], tuple[int, int, int]]:
    def filled(number: int, /, more: int = 4, *, last: int = 5) -> tuple[int, int, int]:
        """Told."""
        return number, more, last

    filled.mark = 7  # type: ignore[attr-defined]
    return filled


@pytest.mark.parametrize("make", [_factorial, _even, _counter, _with_a_class, _defaults, lambda: lambda number: [number * STEP for _ in range(number)]])
def test_a_function_does_there_what_it_does_here(make: Callable[[], Callable[[int], Any]]) -> None:
    here, there = make(), _there(make())
    assert there is not here
    assert [there(number) for number in (1, 3)] == [here(number) for number in (1, 3)]
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__", "__annotations__", "__dict__"):
        assert getattr(there, name) == getattr(here, name)


def test_a_function_with_a_cache_of_its_own_travels_without_what_is_in_it() -> None:
    @lru_cache(maxsize=5)
    def fibonacci(number: int) -> int:
        return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

    assert fibonacci(20) == 6765
    there = _there(fibonacci)
    assert (there.cache_parameters()["maxsize"], there.cache_info().currsize) == (5, 0)
    assert _there(lambda: fibonacci(20))() == there(20) == 6765


def test_functions_of_one_module_have_one_set_of_globals_there() -> None:
    first, second = _there((lambda: STEP, lambda: STEP + 1))
    assert first.__globals__ is second.__globals__
    first.__globals__["STEP"] = 10
    assert second() == 11


def test_a_closure_whose_variable_has_no_value_yet_travels_too() -> None:
    def late() -> Callable[[], int]:
        def value() -> int:
            return missing

        if STEP == 0:
            missing = 1
        return value

    with pytest.raises(NameError, match="missing"):
        _there(late())()


def test_a_job_makes_functions_without_cloudpickle() -> None:
    data, _ = pickling.dumps((_factorial(), _counter()))
    program = ("import sys\nfrom slurm.sdk.calls import pickling\nfactorial, count = pickling.loads(sys.stdin.buffer.read())\n"
               "print(factorial(4), count(3), 'cloudpickle' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True, timeout=60)
    assert done.stdout.split() == [b"24", b"6", b"False"]


def test_what_cloudpickle_itself_wrote_is_read_as_before() -> None:
    assert pickling.loads(cloudpickle.dumps(_factorial()))(4) == 24
