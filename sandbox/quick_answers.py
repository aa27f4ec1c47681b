"""What makes moto's answers several times faster to write, and changes nothing else.

moto looks for each member of an answer under all the names that it could have, and works these names out anew for each.
They depend on the member alone if it is looked for in a plain dictionary.
"""

from __future__ import annotations

from typing import Any

from moto.core import serialize

_moto: Any = serialize  # without types
ORIGINAL: Any = _moto.ResponseSerializer.get_value
"""moto's own method."""


def _get_value(serializer: Any, value: Any, key: str, shape: Any) -> Any:
    """Return the value of a member, or None."""
    picker = serializer._value_picker  # noqa: SLF001 -- there is no other way to know
    if type(value) is not dict or type(picker) is not _moto.XFormedAttributePicker or picker.response_transformers:
        return ORIGINAL(serializer, value, key, shape)
    for name in _names(picker, key, shape):
        if name in value:
            return value[name]
    return None


def _names(picker: Any, key: str, shape: Any) -> tuple[str, ...]:
    # Kept with the shape, which is the member of one structure alone.
    names: tuple[str, ...] | None = shape.__dict__.get("sandbox_names")
    if names is None:
        context = _moto.AttributePickerContext(obj={}, key=key, shape=shape)
        names = shape.sandbox_names = tuple(dict.fromkeys(picker.get_possible_keys(context)))
    return names


_moto.ResponseSerializer.get_value = _get_value
