"""Nodes of a skops schema, and an honest artifact in which they are hidden."""

import json
import zipfile
from typing import Any

from persistbench.backends import Backend

Node = dict[str, Any]


def is_skops(backend: Backend) -> bool:
    """Whether the backend reads a schema."""
    return "skops" in backend.requires


def node(loader: str, module: str, name: str, **more: Any) -> Node:
    """Return a node: what it says it is, and how it is loaded."""
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def text(value: str) -> Node:
    """Return a text."""
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def several(*nodes: Node) -> Node:
    """Return a tuple."""
    return node("TupleNode", "builtins", "tuple", content=list(nodes))


def nothing() -> Node:
    """Return an empty dictionary."""
    keys = node("ListNode", "builtins", "list", content=[])
    return node("DictNode", "builtins", "dict", content={}, key_types=keys)


def hide(backend: Backend, path: str, protocol: int | None = None, **nodes: Node) -> None:
    """Save an honest estimator that calls a function, and put nodes in place of attributes.

    Args:
        backend: of skops.
        path: of the artifact.
        protocol: of the schema, if another than the newest.
        nodes: by attribute: ``func`` is called at use, ``inverse_func`` is only loaded.
    """
    from sklearn.preprocessing import FunctionTransformer

    backend.dump(backend.payload(FunctionTransformer(), None), path)
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    attributes = schema["content"]["content"]
    unknown = nodes.keys() - attributes.keys()
    if unknown:
        raise ValueError(f"the schema has no {', '.join(unknown)}")
    attributes.update(nodes)
    if protocol is not None:
        schema["protocol"] = protocol
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
