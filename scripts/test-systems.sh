#!/bin/sh
# Installs the real comment systems that tests/test_systems.py harvests: WordPress (Debian, Ubuntu) and Isso.
# The tests call it by themselves; CHORUS_TEST_SYSTEMS=off keeps them from it. No service is started: the tests run
# their own copies on loopback, in a temporary directory. The last line on stderr says why something cannot be had.
# Usage: sh scripts/test-systems.sh [wordpress] [isso]
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    as_root env DEBIAN_FRONTEND=noninteractive sh -c \
        '(apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@") >&2' sh "$@"
}

wordpress() {
    # wordpress asks for a web server, php for a module of one: the smallest there is and the command-line kind keep
    # Apache away. mariadb-server-core is the server without the service.
    cgi=$(apt-cache depends php-cgi 2>/dev/null | sed -n 's/.*Depends: //p' | head -n 1)
    apt_install micro-httpd php "${cgi:-php-cgi}" php-cli php-mysql php-xml php-mbstring mariadb-server-core \
        wordpress wordpress-theme-twentytwentyone wordpress-theme-twentytwentythree \
        || { say "WordPress cannot be installed: its packages need apt (Debian, Ubuntu) and root"; return 1; }
}

isso() {
    # one of its dependencies comes as source only
    command -v cc >/dev/null 2>&1 || apt_install build-essential python3-dev || true
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt isso >&2 \
        || { say "Isso cannot be installed: pip needs a package index, and a C compiler with Python's headers"; return 1; }
}

for system in "${@:-wordpress isso}"; do
    # unquoted on purpose: without arguments this is the list of both
    for one in $system; do
        case $one in
            wordpress | isso) "$one" ;;
            *) say "unknown system: $one"; exit 2 ;;
        esac
    done
done
