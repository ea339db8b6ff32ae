"""perreactor's ROS 2 face: nodes, message conversion and bringup.

Generated messages (`perreactor_ros.msg`) and these hand-written modules are one package when built.
The line below lets modules of the source tree and the built messages import together as well;
nothing may depend on it in an installed package, where a build may replace this file.
"""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
