"""The layers of the design: store knows nobody; harvest and nlp know only store's records; cli knows all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("harvest", "nlp", "store", "cli")

#: package -> modules of the project it may import besides its own
ALLOWED: dict[str, tuple[str, ...]] = {
    "store": (),
    "harvest": ("store.records",),
    "nlp": ("store.records",),
    "cli": ("harvest", "nlp", "store"),
}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def trespasses(package: str) -> list[str]:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for name in imports_of(path):
            if name.split(".")[0] not in PACKAGES:
                continue
            allowed = (package, *ALLOWED[package])
            if not any(name == ok or name.startswith(ok + ".") for ok in allowed):
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_what_its_layer_may(package: str) -> None:
    assert trespasses(package) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_package_has_modules_to_check(package: str) -> None:
    assert len(list((ROOT / package).rglob("*.py"))) > 3
