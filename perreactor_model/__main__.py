"""`python -m perreactor_model` is `perreactor`, for interpreters without the installed script."""

from perreactor_model.cli.main import main

raise SystemExit(main())
