# perreactor: `make help` lists what there is to make.
.DEFAULT_GOAL := help
.PHONY: help setup demo test weights clean

# Which interpreter makes .venv; where torch comes from; what pytest is given.
export PYTHON TORCH_INDEX VIDEO DEMO_SECONDS
PYTEST_ARGS ?=
# Fast DDS very rarely takes the process down that closes a participant (once in some ten thousand):
# tests run in a process of their own, and the one that it happened to, no other, is run once more.
PYTEST_APART = --numprocesses 1 --reruns 1 --only-rerun 'crashed while running'

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo
	@echo "  make demo VIDEO=me.mp4 DEMO_SECONDS=20    any video, for so long (until Ctrl-C if not given)"
	@echo "  make test PYTEST_ARGS='-k layers'         only some tests"
	@echo "  PYTHON=/path/to/python3.12                the interpreter for .venv (3.10 to 3.13)"
	@echo "  TORCH_INDEX=address                       PyTorch's CPU wheel index, to avoid the CUDA build"

setup: ## set up what the nodes and the demo need (no torch) and build the ROS package
	@bootstrap/prepare.sh demo

demo: setup ## two robots with different profiles react live to a talking person
	@bootstrap/run perreactor demo $${VIDEO:+--video "$$VIDEO"} $${DEMO_SECONDS:+--seconds "$$DEMO_SECONDS"}

test: ## set up everything, check style and types, run all tests
	@bootstrap/prepare.sh test
	bootstrap/run ruff check .
	bootstrap/run ruff format --check .
	bootstrap/run mypy
	bootstrap/run pytest $(PYTEST_APART) $(PYTEST_ARGS)

weights: ## train the demo's bundles from nothing (resumable; best on a GPU)
	@bootstrap/prepare.sh bundle
	bootstrap/run python -m perreactor_model.bundle.recipe $(WEIGHTS_ARGS)

clean: ## remove everything that was set up or built
	rm -rf .venv build install log .mypy_cache .pytest_cache .ruff_cache
