"""The command line `perreactor`: one module a subcommand, imported only when it is asked for."""
