"""Subcommands of `perreactor` that need the built ROS package."""
