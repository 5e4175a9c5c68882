# Two commands do everything: `make demo` and `make test`. Each sets up what it needs first.
PYTHON ?= python3
VENV := .venv

.PHONY: proto
proto:  ## regenerate inspect/lineside/wire/v1 from proto/
	$(VENV)/bin/python -m grpc_tools.protoc -I proto --python_out=inspect --pyi_out=inspect --grpc_python_out=inspect proto/lineside/wire/v1/inspection.proto
