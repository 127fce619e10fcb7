#!/bin/bash
# Resolves requirements.txt (the Space, users) and requirements-dev.txt (on top of it, for tests).
set -eu
uv=.venv/bin/uv
options=(--universal --python-version 3.11 -q --no-annotate --custom-compile-command "make pins")
tidy() { sed -E "s/ ; python_full_version < '3.13'$//; s/python_full_version < '3.13' and //" "$1"; }

$uv pip compile pyproject.toml --extra data --extra train --extra bench --extra app --extra video --extra heic \
  "${options[@]}" -o requirements.full
tidy requirements.full > requirements.txt
$uv pip compile pyproject.toml --extra dev --extra onnx -c requirements.full "${options[@]}" -o requirements.dev
tidy requirements.dev | grep -vxFf requirements.txt > requirements-dev.txt
rm requirements.full requirements.dev
