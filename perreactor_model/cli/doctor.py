"""`perreactor doctor`: what this installation consists of, and what is wrong with each part.

Each check looks at one part and returns a `Finding`. Nothing of ROS is imported here: whether it
loads is asked of a child interpreter.
"""

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from perreactor_model import __version__
from perreactor_model.bundle.manifest import Bundle, BundleError, known_bundles

OK, WARNING, WRONG = "ok", "warning", "wrong"

OLDEST_PYTHON = (3, 10)

CUDA_PROVIDER = "CUDAExecutionProvider"

ROS_DISTRIBUTIONS = {"3": "humble", "7": "jazzy", "9": "kilted"}
"""Name of the distribution by rclpy's major version, for where ROS_DISTRO is not set."""

RUNTIME_MODULES = ("numpy", "scipy", "av", "kaldi_native_fbank", "yaml", "psutil", "tqdm")

EVALUATION_MODULES = ("numba", "rosbags", "matplotlib")

SHARED_MEMORY_NEEDED = 128 << 20
"""Bytes: a Fast DDS segment of 16 MB for each of the demo's processes, and room to spare."""

INSTALL_RUNTIME = "pip install -r requirements/runtime.txt"
INSTALL_ANALYZER = "pip install --no-deps -r requirements/analyzer.txt"
INSTALL_EVALUATION = "pip install -r requirements/evaluation.txt"


@dataclass(frozen=True)
class Finding:
    """What was found of one part. Status: `ok`, `warning` (works, but) or `wrong`."""

    part: str
    status: str
    found: str
    advice: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--bundle", help="model bundle, a folder or a name (default: all found)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Check everything and tell; 0 if nothing is wrong (warnings are not), else 1."""
    findings = list(examine(arguments.bundle))
    wrong = any(finding.status == WRONG for finding in findings)
    if arguments.json:
        report = {"ok": not wrong, "version": __version__, "checks": [asdict(f) for f in findings]}
        print(json.dumps(report, indent=2))
    else:
        print_findings(findings)
    return int(wrong)


def print_findings(findings: list[Finding]) -> None:
    """One line a part; under it what to do, where something is not as it should be."""
    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        print(f"{finding.status:<7}  {finding.part:<{width}}  {finding.found}")
        if finding.advice:
            print(f"{'':<{11 + width}}-> {finding.advice}")
    counts = {status: sum(f.status == status for f in findings) for status in (WRONG, WARNING)}
    print(f"perreactor {__version__}: {counts[WRONG]} wrong, {counts[WARNING]} warnings")


def examine(bundle: str | None = None) -> Iterator[Finding]:
    """Run all checks, lazily. `bundle` names the one to check; all that are found by default."""
    checks: tuple[Callable[[], Finding], ...] = (
        check_interpreter,
        check_ros,
        check_messages,
        check_log_folder,
        check_shared_memory,
        check_packages,
        check_evaluation,
        check_face_detector,
        check_analyzer,
        check_onnxruntime,
        check_gpu,
        check_torch,
    )
    for check in checks:
        yield check()
    yield from check_bundles(bundle)


def check_interpreter() -> Finding:
    found = f"Python {sys.version.split()[0]}, {sys.executable}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("interpreter", WRONG, found, "use Python 3.10 or later")
    return Finding("interpreter", OK, found)


def check_ros() -> Finding:
    if importlib.util.find_spec("rclpy") is None:
        advice = "only the nodes need it; docs/install.md has both ways to get it"
        return Finding("ROS 2", WARNING, "not on this Python's path", advice)
    answer = _ask_child("import rclpy")
    if answer.failed:
        advice = "source the setup file of your ROS 2 installation, or run `make setup`"
        return Finding("ROS 2", WRONG, f"rclpy does not load: {answer.last_line}", advice)
    version = _version("rclpy")
    name = os.environ.get("ROS_DISTRO") or ROS_DISTRIBUTIONS.get(version.split(".")[0], "unnamed")
    middleware = os.environ.get("RMW_IMPLEMENTATION", "default middleware")
    return Finding("ROS 2", OK, f"{name}, rclpy {version}, {middleware}")


def check_messages() -> Finding:
    advice = "colcon build --symlink-install && . install/setup.bash (docs/install.md)"
    if importlib.util.find_spec("rclpy") is None:
        return Finding("messages", WARNING, "not built (there is no ROS 2)")
    # Making one of each also loads the compiled type support, which `import` alone does not.
    answer = _ask_child(
        "import perreactor_ros.msg as m\n"
        "for name in ('AudioChunk', 'FacialReaction', 'ReactorState', 'SpeakerBehaviour'):\n"
        "    getattr(m, name).__class__.__import_type_support__()\n"
        "print(m.__file__)"
    )
    if answer.failed:
        return Finding("messages", WRONG, answer.last_line, advice)
    return Finding("messages", OK, str(Path(answer.last_line).parent))


def check_log_folder() -> Finding:
    """rclpy refuses to start where it can write no log."""
    choice = os.environ.get("ROS_LOG_DIR") or os.environ.get("ROS_HOME") or os.environ.get("HOME")
    if choice is None:
        return Finding("log folder", WRONG, "HOME is not set", "set HOME or ROS_LOG_DIR")
    folder = Path(choice)
    place = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not os.access(place, os.W_OK):
        return Finding("log folder", WRONG, f"{folder} is not writable", "set ROS_LOG_DIR")
    return Finding("log folder", OK, str(folder))


def check_shared_memory(folder: Path = Path("/dev/shm")) -> Finding:
    """Camera images travel through it between the processes of one machine."""
    if not folder.is_dir():
        return Finding("shared memory", WARNING, f"no {folder}", "images travel by UDP, slower")
    size = shutil.disk_usage(folder).total
    found = f"{size >> 20} MB"
    if size < SHARED_MEMORY_NEEDED:
        advice = "images may be lost; in a container: --ipc=host or --shm-size=512m"
        return Finding("shared memory", WARNING, found, advice)
    return Finding("shared memory", OK, found)


def check_packages() -> Finding:
    missing = [name for name in RUNTIME_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("packages", WRONG, f"missing: {', '.join(missing)}", INSTALL_RUNTIME)
    found = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "scipy", "av"))
    return Finding("packages", OK, found)


def check_evaluation() -> Finding:
    """`metrics`, `replay` and `record` stand on packages that a robot can do without."""
    missing = [name for name in EVALUATION_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        found = f"missing: {', '.join(missing)}; metrics, replay and record do not work"
        return Finding("evaluation", WARNING, found, INSTALL_EVALUATION)
    found = ", ".join(f"{name} {_version(name)}" for name in EVALUATION_MODULES)
    return Finding("evaluation", OK, found)


def check_face_detector() -> Finding:
    """OpenCV 5 and some distributions' builds carry no cascade, so there is no face crop."""
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        return Finding("face detector", WRONG, f"cv2 does not load: {error}", INSTALL_RUNTIME)
    from perreactor_model.vision.detector import FaceDetector

    found = f"OpenCV {cv2.__version__}"
    try:
        FaceDetector()
    except Exception as error:  # whatever a build without detector or cascade raises
        advice = "pip install 'opencv-python-headless<5', or publish faces that are cropped already"
        return Finding("face detector", WRONG, f"{found}: {error}", advice)
    return Finding("face detector", OK, found)


def check_analyzer() -> Finding:
    """What measures facial attributes in pictures; bundles that see pixels do without."""
    name = "face analyzer"
    if importlib.util.find_spec("mediapipe") is None:
        advice = f"{INSTALL_ANALYZER} (x86-64 Linux, Python 3.10 to 3.12)"
        return Finding(name, WARNING, "no mediapipe: faces are seen, not measured", advice)
    answer = _ask_child(
        "from perreactor_model.face_analysis.analyzer import open_analyzer\nopen_analyzer().close()"
    )
    if answer.failed:
        return Finding(name, WRONG, answer.last_line, INSTALL_ANALYZER)
    return Finding(name, OK, f"mediapipe {_version('mediapipe')}")


def check_onnxruntime() -> Finding:
    installed = {name: _version(name) for name in onnxruntime_distributions()}
    return judge_onnxruntime(installed, _providers() if installed else [])


def onnxruntime_distributions() -> list[str]:
    """Installed packages that provide the module `onnxruntime`, of which one at a time works."""
    names = {dist.metadata["Name"] for dist in metadata.distributions()}
    return sorted(name for name in names if name and name.lower().startswith("onnxruntime"))


def judge_onnxruntime(installed: dict[str, str], providers: list[str] | str) -> Finding:
    """`installed`: version by package. `providers`: what it offers, or why it does not load."""
    if not installed:
        advice = "pip install onnxruntime (or onnxruntime-gpu on a machine with an NVIDIA GPU)"
        return Finding("onnxruntime", WRONG, "not installed", advice)
    found = ", ".join(f"{name} {version}" for name, version in installed.items())
    if len(installed) > 1:
        advice = f"they overwrite each other: pip uninstall {' '.join(installed)}, install one"
        return Finding("onnxruntime", WRONG, found, advice)
    if isinstance(providers, str):
        advice = f"pip install --force-reinstall {next(iter(installed))}"
        return Finding("onnxruntime", WRONG, f"{found} does not load: {providers}", advice)
    return Finding("onnxruntime", OK, f"{found}: {', '.join(providers)}")


def check_gpu() -> Finding:
    providers = _providers()
    return judge_gpu(_nvidia_gpus(), providers if isinstance(providers, list) else [])


def judge_gpu(gpus: list[str], providers: list[str]) -> Finding:
    """`gpus`: names of this machine's NVIDIA GPUs; `providers`: what onnxruntime offers."""
    cuda = CUDA_PROVIDER in providers
    if not gpus:
        advice = "the CPU is used: no GPU is seen (driver, or container without --gpus)"
        return Finding("GPU", *((WARNING, "none", advice) if cuda else (OK, "none; CPU is used")))
    found = ", ".join(gpus)
    if not cuda:
        advice = "unused: pip uninstall onnxruntime, then pip install onnxruntime-gpu"
        return Finding("GPU", WARNING, found, advice)
    return Finding("GPU", OK, found)


def check_torch() -> Finding:
    """Looked up, not imported: only training, import of weights and new bundles need it."""
    version = _version("torch")
    return Finding("torch", OK, version or "not installed; robots run without it")


def check_bundles(asked_for: str | None = None) -> Iterator[Finding]:
    """Verify the bundle asked for, or every one that is found, and start its networks."""
    names = [asked_for] if asked_for else known_bundles()
    if not names:
        advice = "install perreactor again, or set PERREACTOR_BUNDLES to a folder of bundles"
        yield Finding("bundle", WRONG, "none found", advice)
    for name in names:
        yield _check_bundle(name)


def _check_bundle(name: str) -> Finding:
    part = f"bundle {Path(name).name}"
    try:
        bundle = Bundle.load(name)
    except BundleError as error:
        return Finding(part, WRONG, str(error), "restore its files, or make it anew")
    found = f"{bundle.model_id}, {bundle.config.visual_input}, "
    try:
        from perreactor_model.streaming.runtime import load_graph

        session = load_graph(bundle, "distribution")
    except Exception as error:  # whatever onnxruntime raises: it is what a node would die of
        return Finding(part, WRONG, f"{found}does not start: {error}", "see onnxruntime above")
    found += f"starts on {session.get_providers()[0]}"
    if not bundle.trained:
        advice = "weights are not trained: judge liveness, not sense"
        return Finding(part, WARNING, found, advice)
    if bundle.domain:
        return Finding(part, WARNING, found, bundle.domain)
    return Finding(part, OK, found)


@dataclass(frozen=True)
class _Answer:
    failed: bool
    last_line: str


def _ask_child(program: str) -> _Answer:
    """Run a program in a child of this interpreter; its answer, or its error, is the last line."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return _Answer(True, "no answer within 60 s")
    lines = (child.stderr if child.returncode else child.stdout).strip().splitlines()
    return _Answer(child.returncode != 0, lines[-1] if lines else f"exit {child.returncode}")


def _providers() -> list[str] | str:
    """What onnxruntime offers; the error as text where it does not load."""
    try:
        return importlib.import_module("onnxruntime").get_available_providers()
    except (ImportError, AttributeError) as error:
        return str(error)


def _nvidia_gpus() -> list[str]:
    """Names of the GPUs that NVIDIA's driver reports; none without driver or tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    question = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.strip().splitlines() if answer.returncode == 0 else []


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
