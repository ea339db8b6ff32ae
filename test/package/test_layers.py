"""Who may import whom, and what importing loads: the rules that keep the two packages apart."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = sorted((ROOT / "perreactor_model").rglob("*.py"))
NODES = sorted((ROOT / "perreactor_ros").rglob("*.py"))
SCRIPTS = [file for file in sorted((ROOT / "scripts").iterdir()) if file.is_file()]

ROS_PACKAGES = {
    "ament_index_python", "builtin_interfaces", "cv_bridge", "diagnostic_msgs", "launch",
    "launch_ros", "lifecycle_msgs", "message_filters", "rcl_interfaces", "rclpy", "rosgraph_msgs",
    "rosidl_runtime_py", "sensor_msgs", "std_msgs", "std_srvs",
}  # fmt: skip
"""What must not appear in perreactor_model, together with perreactor_ros itself."""


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Each imported module's full name, and whether the import runs when the file is imported."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    yield from _imports_below(tree, at_import=True)


def _imports_below(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, at_import) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: imports are absolute here"
        yield node.module, at_import
        yield from ((f"{node.module}.{alias.name}", at_import) for alias in node.names)
    elif _is_import_module(node):
        yield node.args[0].value, at_import
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    inside = at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _imports_below(child, inside)


def _is_import_module(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("import_module", "__import__"))
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


def top(name: str) -> str:
    return name.split(".")[0]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", MODEL, ids=name_of)
def test_the_method_never_imports_ros(file: Path) -> None:
    found = {name for name, _ in imports(file) if top(name) in ROS_PACKAGES | {"perreactor_ros"}}
    assert not found


@pytest.mark.parametrize("file", NODES + SCRIPTS, ids=name_of)
def test_the_nodes_never_import_torch(file: Path) -> None:
    found = {name for name, _ in imports(file) if top(name) in {"torch", "onnx", "onnxscript"}}
    assert not found


def test_the_nodes_never_import_modules_of_the_method_that_need_torch() -> None:
    modules = {_module_name(file): file for file in MODEL}
    needs_torch = {name for name in modules if _loads_torch(name, modules, set())}
    assert "perreactor_model.networks.generator" in needs_torch, "the search found nothing"
    for file in NODES + SCRIPTS:
        found = {name for name, _ in imports(file)} & needs_torch
        assert not found, f"{name_of(file)} imports {found}"


def _module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _loads_torch(name: str, modules: dict[str, Path], seen: set[str]) -> bool:
    """Whether importing the module imports torch, itself or through others of this package."""
    if name not in modules or name in seen:
        return False
    seen.add(name)
    loaded = {imported for imported, at_import in imports(modules[name]) if at_import}
    return any(top(other) == "torch" for other in loaded) or any(
        _loads_torch(other, modules, seen) for other in sorted(loaded)
    )


@pytest.mark.parametrize(
    "module",
    [
        "perreactor_model",
        "perreactor_model.contract",
        "perreactor_model.bundle.manifest",
        "perreactor_model.profiles",
        "perreactor_model.streaming.reactor",
        "perreactor_model.cli.main",
        "perreactor_model.cli.doctor",
    ],
)
def test_importing_the_method_loads_neither_torch_nor_onnxruntime(module: str) -> None:
    loaded = modules_after(f"import {module}")
    assert module in loaded
    assert not {"torch", "onnxruntime", "onnx", "rclpy", "perreactor_ros"} & loaded


def test_public_names_resolve_without_torch() -> None:
    program = (
        "import perreactor_model as p\n"
        "assert {name for name in p.__all__ if getattr(p, name) is not None} == set(p.__all__)"
    )
    assert "torch" not in modules_after(program)


def modules_after(program: str) -> set[str]:
    """Names in sys.modules of a fresh interpreter that ran the program."""
    child = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return set(child.stdout.split())


@pytest.mark.parametrize("file", MODEL + NODES, ids=name_of)
def test_no_module_has_a_name_that_says_nothing_or_hides_messages(file: Path) -> None:
    assert file.stem not in {"utils", "util", "helpers", "common", "misc"}
    if file.is_relative_to(ROOT / "perreactor_ros"):
        assert file.stem not in {"msg", "srv", "action"}


def test_nothing_depends_on_the_content_of_the_ros_package_init() -> None:
    tree = ast.parse((ROOT / "perreactor_ros" / "__init__.py").read_text(encoding="utf-8"))
    names = {
        ast.unparse(target)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert names == {"__path__"}, "a build may replace this file: it must define nothing of use"
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


def test_tests_do_not_hide_the_built_package() -> None:
    assert not (ROOT / "conftest.py").exists()
    assert not list((ROOT / "test").rglob("__init__.py"))
