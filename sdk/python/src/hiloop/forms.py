"""Forms: fields from a JSON Schema, and the typed values of an answer checked against them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from .codec import json_text
from .errors import ConfigurationError, InvalidAnswer

Field = dict[str, Any]
_TYPES: Final = frozenset(
    {"text", "textarea", "number", "select", "multiselect", "checkbox", "date", "datetime", "email", "url"}
)
_FORMATS: Final = {"date": "date", "date-time": "datetime", "email": "email", "uri": "url"}
_BOUNDS: Final = {
    "minimum": "min", "maximum": "max", "minLength": "minLength", "maxLength": "maxLength",
    "description": "help", "default": "value",
}  # fmt: skip


def form(definition: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A form node: of a JSON Schema of flat fields, of `{"fields":[…],"submitLabel"?}`, or of a list of fields."""
    if isinstance(definition, Mapping) and "properties" in definition:
        return {"type": "form", "data": {"fields": _fields_of_schema(definition)}}
    if isinstance(definition, Mapping):
        others = {name: value for name, value in definition.items() if name != "fields"}
        data = {**others, "fields": [dict(field) for field in definition.get("fields", [])]}
    else:
        data = {"fields": [dict(field) for field in definition]}
    for field in data["fields"]:
        if not isinstance(field.get("name"), str) or field.get("type", "text") not in _TYPES:
            raise ConfigurationError(f"a field needs a name and a known type (got {field!r})")
        field.setdefault("label", field["name"])
        field.setdefault("type", "text")
    return {"type": "form", "data": data}


def _fields_of_schema(schema: Mapping[str, Any]) -> list[Field]:
    required = schema.get("required", [])
    return [_field_of_schema(name, part, name in required) for name, part in schema["properties"].items()]


def _field_of_schema(name: str, schema: Mapping[str, Any], required: bool) -> Field:
    field: Field = {"name": name, "label": schema.get("title", name), "type": _type_of_schema(name, schema)}
    if required:
        field["required"] = True
    source = schema.get("items", {}) if schema.get("type") == "array" else schema
    if "enum" in source:
        field["options"] = [{"value": text, "label": text} for text in map(json_text, source["enum"])]
    if schema.get("type") == "integer":
        field["integer"] = True
    field.update({ours: schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in schema})
    return field


def _type_of_schema(name: str, schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array" and "enum" in schema.get("items", {}):
        return "multiselect"
    if "enum" in schema:
        return "select"
    if kind in ("number", "integer"):
        return "number"
    if kind == "boolean":
        return "checkbox"
    if kind == "string":
        long = schema.get("maxLength", 0) > 200
        return _FORMATS.get(schema.get("format", ""), "textarea" if long else "text")
    raise ConfigurationError(f"a form has flat fields; {name!r} is none: {kind!r}")


def check_values(data: Mapping[str, Any], values: object) -> dict[str, Any]:
    """The values of an answer by the types of the form's fields, others left out; raises `InvalidAnswer`."""
    given = values if isinstance(values, Mapping) else {}
    checked: dict[str, Any] = {}
    fields = data.get("fields")
    for field in fields if isinstance(fields, list) else []:
        if isinstance(field, Mapping) and isinstance(field.get("name"), str):
            name = field["name"]
            value = _check(field, given.get(name))
            if value is not None:
                checked[name] = value
    return checked


def _check(field: Mapping[str, Any], value: Any) -> Any:
    name, required = field["name"], field.get("required") is True
    kind = str(field.get("type", "text"))
    if value is None or value == "" or (kind == "multiselect" and value == []):
        if required:
            raise InvalidAnswer(name, "a value is required")
        return value or None
    check: Callable[[Mapping[str, Any], Any], Any] = _CHECKS.get(kind, _check_text)
    checked = check(field, value)
    if kind == "checkbox" and required and checked is not True:
        raise InvalidAnswer(name, "it must be checked")
    return checked


def _check_text(field: Mapping[str, Any], value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidAnswer(field["name"], "not a text")
    least, most = field.get("minLength"), field.get("maxLength")
    if isinstance(least, int) and len(value) < least:
        raise InvalidAnswer(field["name"], f"shorter than {least} characters")
    if isinstance(most, int) and len(value) > most:
        raise InvalidAnswer(field["name"], f"longer than {most} characters")
    return value


def _check_number(field: Mapping[str, Any], given: Any) -> int | float:
    value: int | float | None = None
    if isinstance(given, str):
        try:
            if not re.fullmatch(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?", given):
                raise ValueError
            value = float(given) if re.search(r"[.eE]", given) else int(given)
        except ValueError:
            raise InvalidAnswer(field["name"], "not a number") from None
    elif isinstance(given, (int, float)):
        value = given
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise InvalidAnswer(field["name"], "not a number")
    if field.get("integer") is True:
        if value != int(value):
            raise InvalidAnswer(field["name"], "not a whole number")
        value = int(value)
    least, most = field.get("min"), field.get("max")
    if isinstance(least, (int, float)) and value < least:
        raise InvalidAnswer(field["name"], f"less than {least}")
    if isinstance(most, (int, float)) and value > most:
        raise InvalidAnswer(field["name"], f"more than {most}")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _check_checkbox(field: Mapping[str, Any], value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidAnswer(field["name"], "not true or false")
    return value


def _options(field: Mapping[str, Any]) -> set[str]:
    options = field.get("options")
    return {json_text(o.get("value")) for o in options or [] if isinstance(o, Mapping)}


def _check_select(field: Mapping[str, Any], value: Any) -> str:
    if not isinstance(value, str) or value not in _options(field):
        raise InvalidAnswer(field["name"], "not one of the options")
    return value


def _check_multiselect(field: Mapping[str, Any], value: Any) -> list[str]:
    if not isinstance(value, list):
        raise InvalidAnswer(field["name"], "not a list")
    return [_check_select(field, item) for item in value]


def _check_date(field: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise InvalidAnswer(field["name"], "not a date")
    return _check_by(field, value, date.fromisoformat, "not a date")


def _check_datetime(field: Mapping[str, Any], value: Any) -> str:
    return _check_by(field, value, lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")), "not a time")


def _check_email(field: Mapping[str, Any], value: Any) -> str:
    text = _check_text(field, value)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise InvalidAnswer(field["name"], "not an e-mail address")
    return text


def _check_url(field: Mapping[str, Any], value: Any) -> str:
    def parse(text: str) -> None:
        if urlsplit(text).scheme not in ("http", "https"):
            raise ValueError

    return _check_by(field, value, parse, "not a URL")


def _check_by(field: Mapping[str, Any], value: Any, parse: Callable[[str], object], problem: str) -> str:
    text = _check_text(field, value)
    try:
        parse(text)
    except ValueError:
        raise InvalidAnswer(field["name"], problem) from None
    return text


_CHECKS: Final[dict[str, Callable[[Mapping[str, Any], Any], Any]]] = {
    "number": _check_number,
    "checkbox": _check_checkbox,
    "select": _check_select,
    "multiselect": _check_multiselect,
    "date": _check_date,
    "datetime": _check_datetime,
    "email": _check_email,
    "url": _check_url,
}
