"""The house: what is public, and which way imports point."""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path

import pytest

import router
import router.httpx2

PACKAGE = Path(router.__file__).parent

# values → decisions → flow → world → surfaces: a layer imports from its own and from those before.
LAYERS = (
    {"version", "errors", "secret", "units", "endpoint", "options", "config", "forks", "hosts"}
    | {"header_names", "lazy", "vocabulary", "wellformed", "rates"}
    | {"jsontext", "overrides", "placeholders", "shaping"}
    | {"geo.regions", "geo.data"},
    {
        "geo",
        "latency.estimate",
        "latency.schedule",
        "clock",
        "latency",
        "balance",
        "failover",
        "limits",
        "auth.token",
    }
    | {
        "auth.grant",
        "auth",
        "auth.shelf",
        "attempt",
        "call",
        "lease",
        "standby",
        "straight",
        "desk",
        "addressing",
        "snapshot",
    }
    | {"departure", "streams"},
    {
        "accounting",
        "again",
        "flight",
        "flow",
        "outcome",
        "peek",
        "racing",
        "streams.breaking",
        "streams.course",
        "streams.rest",
    },
    {
        "net",
        "ports",
        "wires",
        "bodies",
        "families",
        "tls",
        "background",
        "pulse",
        "latency.probe",
    }
    | {
        "latency.prober",
        "clock.exchange",
        "clock.sync",
        "auth.oauth",
        "auth.given",
        "auth.sources",
        "router",
        "transport",
        "placing",
        "timekeeping",
        "revision",
        "journal",
        "shared",
    }
    | {"client", "httpx2", "repeats"},
    {"cli", "testing", "__main__", ""},
)
FOREIGN = {
    "httpx": {"transport", "client", "auth.oauth"},
    "joserfc": {"auth.assertion"},
    "botocore": {"auth.sigv4"},
    "httpx2": {"httpx2"},
    "httpcore": set(),
    "aiohttp": {"wires.aiohttp"},
    "geoip2": {"geo.database", "geo.place"},
    "maxminddb": {"geo.database", "geo.place"},
    "ntplib": {"clock.ntp", "testing.ntp"},
    "cachetools": {"geo.locator", "balance.affinity", "net.resolver"},
    "h11": {"latency.probe", "testing.region", "testing.framing"},
    "trustme": {"testing.certificates"},
    "yaml": {"config"},
    "pydantic": {"config"},
    "click": {"cli"},
    "rich": {"cli"},
    "redis": {"shared.connect", "shared.store"},
    "cryptography": {"auth.assertion", "shared.cipher"},
}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the modules that are imported when this one runs; not those for type checkers.

    Those count that a function imports, also by `import_module`, and those of a lazy package.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names |= {str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)}
    return frozenset(names | set(homes(tree)))


def homes(tree: ast.Module) -> dict[str, str]:
    """Return the table of a lazy package: names by the module that they live in."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOMES":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    return {}


def covers(prefixes: set[str], module: str) -> bool:
    return module in prefixes or any(module.startswith(f"{p}.") for p in prefixes if p)


@cache
def layer(module: str) -> int:
    """Return the layer that names the module most exactly."""
    best = [
        (len(entry), number)
        for number, names in enumerate(LAYERS)
        for entry in names
        if covers({entry}, module)
    ]
    assert best, f"{module} stands in no layer of the house: give it one"
    return max(best)[1]


@pytest.mark.parametrize("module", modules())
def test_imports_point_one_way(module: str) -> None:
    known = modules()
    for name in imported(known[module]):
        target = name.removeprefix("router.")
        if name.startswith("router.") and target in known:
            assert layer(target) <= layer(module), f"{module} imports {target}, a later layer"


@pytest.mark.parametrize("module", modules())
def test_a_foreign_library_is_known_in_its_own_room_only(module: str) -> None:
    for name in imported(modules()[module]):
        rooms = FOREIGN.get(name.partition(".")[0])
        assert rooms is None or covers(rooms, module), f"{module} imports {name}"


def test_the_public_names_are_these() -> None:
    assert sorted(router.__all__) == sorted(set(router.__all__))
    for name in router.__all__:
        assert getattr(router, name) is not None
    assert router.httpx2.__all__ == ["AsyncClient", "AsyncTransport", "Client", "Transport"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = router.nonsense  # type: ignore[attr-defined] # mypy knows it as well


@pytest.mark.parametrize("module", [name for name in modules() if name])
def test_every_module_says_what_it_offers(module: str) -> None:
    path = modules()[module]
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), f"{module} has no docstring"
    if path.name not in {"__init__.py", "__main__.py", "version.py"}:
        assert "__all__" in text, f"{module} has no __all__"


LAZY = [name for name, path in modules().items() if homes(ast.parse(path.read_text()))]


@pytest.mark.parametrize("package", LAZY)
def test_a_lazy_package_offers_what_type_checkers_see(package: str) -> None:
    tree = ast.parse(modules()[package].read_text())
    seen = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in {"__future__", "typing"}
        for alias in node.names
    }
    there = {("router.lazy", "by_name"), ("router.version", "__version__")}
    table = {(home, name) for home, names in homes(tree).items() for name in names.split()}
    assert table == seen - there
    offered = importlib.import_module(f"router.{package}".rstrip("."))
    assert {name for _, name in table} == set(offered.__all__) - {"__version__"}
    assert set(offered.__all__) <= set(dir(offered))


@cache
def lazily_offered() -> frozenset[str]:
    """Return each name that a lazy package offers, as it would be imported from there."""
    known = modules()
    return frozenset(
        f"router.{package}.{name}".replace("..", ".")
        for package in LAZY
        for names in homes(ast.parse(known[package].read_text())).values()
        for name in names.split()
    )


@pytest.mark.parametrize("module", [name for name in modules() if name])
def test_no_module_of_ours_imports_by_way_of_a_lazy_package(module: str) -> None:
    known = modules()
    found = imported(known[module])
    assert "router" not in found
    assert lazily_offered() & found <= {f"router.{name}" for name in known}
