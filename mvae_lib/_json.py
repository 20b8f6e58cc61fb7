"""Frozen dataclasses out of JSON, with every key and every type checked: one validator for all files of the library."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin


def from_json(
    cls: type,
    data: Any,
    what: str,
    kinds: Mapping[str, type | Callable[[Any], Any]] | None = None,
    may_be_missing: Collection[str] = (),
) -> Any:
    """`cls` built from an object of JSON with a value for each field; dataclasses in it likewise.

    `kinds` says the type of a field, or what reads its value, where the dataclass leaves it open; `may_be_missing`
    which keys mean their default where they are missing. Raises ValueError, naming `what`, for a key too many, one
    missing or a wrong type, and whatever `cls` raises for values that do not fit together.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{what} must be an object with named values, not {data!r:.80}")
    wanted = {item.name: item.type for item in fields(cls)} | dict(kinds or {})
    unknown, missing = sorted(data.keys() - wanted.keys()), sorted(wanted.keys() - data.keys() - set(may_be_missing))
    if unknown or missing:
        raise ValueError(
            f"the keys of {what} are not those of this version of mvae_lib: "
            f"unknown: {', '.join(map(str, unknown)) or 'none'}; missing: {', '.join(missing) or 'none'}"
        )
    found = {name: kind for name, kind in wanted.items() if name in data}
    values = {name: value_of(kind, data[name], f"{name!r} of {what}", may_be_missing) for name, kind in found.items()}
    return cls(**values)


def value_of(kind: Any, value: Any, what: str, may_be_missing: Collection[str] = ()) -> Any:
    """`value` as the type `kind`, or ValueError; JSON knows no tuples, and 1.0 may come back as 1."""
    if callable(kind) and not isinstance(kind, type) and get_origin(kind) is None:
        return kind(value)
    if is_dataclass(kind):
        return from_json(kind, value, what, may_be_missing=may_be_missing)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(value_of(inner[0], item, what, may_be_missing) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        if inner[1] is Any:
            return value
        return {key: value_of(inner[1], item, f"{key!r} of {what}") for key, item in value.items()}
    if origin is Literal and value in inner:
        return value
    if isinstance(kind, UnionType):
        return None if value is None else value_of(inner[0], value, what, may_be_missing)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise ValueError(f"{what} must be of type {kind.__name__ if isinstance(kind, type) else kind}, not {value!r:.80}")
