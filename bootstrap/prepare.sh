#!/bin/sh
# Prepare this checkout for a purpose: bootstrap/prepare.sh demo|bundle|test
#
# This half does what must happen before there is a usable Python: it checks the platform, finds an
# interpreter and the system's build tools, and installs what is missing (as root, with apt) or
# stops with the command to type. The other half, prepare.py, makes the virtual environment and the
# workspace. PYTHON=/path/to/python picks the interpreter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# The first line says who speaks; the others can be typed as they are.
stop() {
    printf 'perreactor: ' >&2
    printf '%s\n' "$@" >&2
    exit 1
}

# Whether the wheels exist for this interpreter.
fits() {
    "$1" -I -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

# What Debian calls the packages that this interpreter lacks; nothing when it is complete.
lacks() {
    "$1" -I - <<'PYTHON'
import importlib.util, os, sys, sysconfig
name = "python%d.%d" % sys.version_info[:2]
if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
    print(name + "-venv")
if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
    print(name + "-dev")
PYTHON
}

# Only the system's own interpreter can be completed with system packages.
belongs_to_system() {
    "$1" -I -c 'import sys; sys.exit(sys.base_prefix != "/usr")'
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.13 python3.10 /usr/bin/python3}; do
        command -v "$candidate" >/dev/null 2>&1 && fits "$candidate" || continue
        if [ -z "$(lacks "$candidate")" ] || belongs_to_system "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        stop "these Debian packages, or what this system calls them, are missing: $*" \
            "install them with this system's package manager and try again"
    elif [ "$(id -u)" -ne 0 ]; then
        stop "system packages are missing. Type this and try again:" \
            "  sudo apt-get update && sudo apt-get install -y $*"
    fi
    echo "perreactor: installing system packages: $*" >&2
    apt-get update -q >&2 </dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 </dev/null
}

if [ "$(uname -s)" != Linux ] || [ "$(uname -m)" != x86_64 ]; then
    stop "there are no ROS 2 wheels for $(uname -s) on $(uname -m)." \
        "On a machine with ROS 2 installed, build this checkout in a colcon workspace:" \
        "  colcon build --symlink-install && . install/setup.bash" \
        "  ros2 launch perreactor_ros reactor.launch.py" \
        "docs/install.md has this way step by step, and a container recipe."
fi

# The wheels' start-up hook marks its environment; a child with another interpreter must not see it.
if [ -n "${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
    unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
fi
unset PYTHONPATH PYTHONHOME

missing=
python=$(find_python)
if [ -n "$python" ]; then
    missing=$(lacks "$python" | tr '\n' ' ')
elif [ -n "${PYTHON:-}" ]; then
    stop "PYTHON=$PYTHON does not fit: Python 3.10 to 3.13 with venv and its C headers is needed."
elif command -v /usr/bin/python3 >/dev/null 2>&1; then
    stop "Python 3.10 to 3.13 is needed, and this system's is $(/usr/bin/python3 -V 2>&1)." \
        "Name another one with PYTHON=/path/to/python3.12, or use the container of docs/install.md."
else
    missing="python3 python3-venv python3-dev"
fi
for tool in g++ make cmake; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -e /etc/debian_version ] && [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
    missing="$missing ca-certificates"
fi
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a list of words
    install_packages $missing
    python=$(find_python)
    [ -n "$python" ] || stop "Python 3.10 to 3.13 is needed; this system's packages hold another." \
        "Name one with PYTHON=/path/to/python3.12, or use the container of docs/install.md."
fi

exec "$python" -I "$here/prepare.py" "$@"
