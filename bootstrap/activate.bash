# Enter the environment that the set-up made, in an interactive bash:  . bootstrap/activate.bash
# Afterwards `perreactor`, python, pytest and colcon are the environment's own.
_perreactor_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ ! -e "$_perreactor_root/install/local_setup.bash" ]; then
    echo "perreactor: nothing is built in $_perreactor_root yet: make setup" >&2
    unset _perreactor_root
    return 1
fi
# Neither another ROS installation nor the mark of another environment's start-up hook may leak in.
if [ -n "${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
    unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
fi
unset PYTHONPATH PYTHONHOME COLCON_PREFIX_PATH
. "$_perreactor_root/.venv/bin/activate"
export AMENT_PREFIX_PATH="$VIRTUAL_ENV" CMAKE_PREFIX_PATH="$VIRTUAL_ENV"
. "$_perreactor_root/install/local_setup.bash"
# rclpy wants a place for its logs even where nobody has a home.
if [ ! -w "${HOME:-/nonexistent}" ]; then
    export ROS_LOG_DIR="${ROS_LOG_DIR:-$_perreactor_root/log/ros}"
fi
unset _perreactor_root
