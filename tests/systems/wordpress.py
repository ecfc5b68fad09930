"""A real WordPress from Debian's packages: PHP's own server, and MariaDB on a private socket, both in a temporary directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.systems import START_SECONDS, find, free_port, start, stop, wait_until_up, why_missing

#: Where Debian and Ubuntu put it.
SOURCE = Path("/usr/share/wordpress")
_HERE = Path(__file__).parent

_CONFIG = """<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', '{url}'); define('WP_SITEURL', '{url}');
define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true); define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISALLOW_UNFILTERED_HTML', true); define('WP_DEBUG', false); define('WP_DISABLE_FATAL_ERROR_HANDLER', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

#: The address of an emoji image that is nowhere, no mail, avatars from the site itself; REST closed when an option says so.
_PLUGIN = """<?php
function wp_mail() { return true; }
add_filter('get_avatar_url', fn() => home_url('/wp-includes/images/blank.gif'));
if (get_option('chorus_rest_off')) {
    add_filter('rest_authentication_errors', fn() => new WP_Error('rest_disabled', 'REST is off', ['status' => 401]));
    remove_action('wp_head', 'rest_output_link_wp_head'); remove_action('template_redirect', 'rest_output_link_header', 11);
}
"""

#: Serves files as they are and everything else through WordPress, as a rewrite rule would.
_ROUTER = """<?php
$path = $_SERVER['DOCUMENT_ROOT'] . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (is_file($path) || is_file($path . '/index.php') && $path !== $_SERVER['DOCUMENT_ROOT'] . '/') return false;
$_SERVER['SCRIPT_NAME'] = '/index.php';
require $_SERVER['DOCUMENT_ROOT'] . '/index.php';
"""


def missing() -> str | None:
    """Why there can be no WordPress here, or ``None``."""
    present = SOURCE.joinpath("wp-load.php").exists() and find("php") and find("mariadbd", "mysqld")
    return why_missing("wordpress", bool(present))


class WordPress:
    """``with WordPress() as site``: a fresh blog at ``site.url``. ``site.php`` runs a command of ``wordpress.php``."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> WordPress:
        with ExitStack() as stack:
            # a socket's path may have 107 characters: pytest's own folders are too deep
            self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-wp-")))
            self.root = self.directory / "site"
            self.socket = self.directory / "db.sock"
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            self._start_database(stack)
            self._lay_out()
            self.about: dict[str, Any] = self.php("install")
            self.php("options", permalinks="/%year%/%monthnum%/%postname%/")
            self._start_server(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start_database(self, stack: ExitStack) -> None:
        data, log = self.directory / "db", self.directory / "db.log"
        user = f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}"
        install = [find("mariadb-install-db", "mysql_install_db") or "", "--no-defaults", f"--datadir={data}", user]
        options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([*install, *options], check=True, capture_output=True)
        server = [
            find("mariadbd", "mysqld") or "",
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={self.socket}",
            user,
        ]
        quick = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        process = start([*server, *quick, f"--pid-file={self.directory}/db.pid"], log)
        stack.callback(stop, process)
        self._create_database(process, log)

    def _create_database(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """The server is up once it takes this statement."""
        client = [find("mariadb", "mysql") or "", "--no-defaults", f"--socket={self.socket}", "--user=root"]
        statement = "--execute=CREATE DATABASE IF NOT EXISTS wordpress CHARACTER SET utf8mb4"
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run([*client, statement], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"the database did not come up: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _lay_out(self) -> None:
        shutil.copytree(SOURCE, self.root, symlinks=True, ignore=shutil.ignore_patterns("wp-config.php", ".htaccess"))
        (self.root / "wp-config.php").write_text(
            _CONFIG.replace("{socket}", str(self.socket)).replace("{url}", self.url)
        )
        plugins = self.root / "wp-content" / "mu-plugins"
        plugins.mkdir()
        (plugins / "chorus.php").write_text(_PLUGIN)
        for theme in sorted((_HERE / "themes").iterdir()):
            shutil.copytree(theme, self.root / "wp-content" / "themes" / theme.name)

    def _start_server(self, stack: ExitStack) -> None:
        router, log = self.directory / "router.php", self.directory / "php.log"
        router.write_text(_ROUTER)
        command = [find("php") or "", "-S", f"127.0.0.1:{self.port}", "-t", str(self.root), str(router)]
        process = start(command, log, PHP_CLI_SERVER_WORKERS="4")
        stack.callback(stop, process)
        wait_until_up(f"{self.url}/wp-includes/images/blank.gif", process, log)

    def php(self, command: str, **values: Any) -> Any:
        """Run one command of ``wordpress.php`` with ``values`` as its input; its answer."""
        environment = {**os.environ, "CHORUS_ROOT": str(self.root), "CHORUS_HOST": f"127.0.0.1:{self.port}"}
        call = [find("php") or "", str(_HERE / "wordpress.php"), command]
        result = subprocess.run(
            call, input=json.dumps(values).encode(), capture_output=True, env=environment, check=False
        )
        if result.returncode:
            raise RuntimeError(f"{command}: {result.stdout.decode()[-2000:]} {result.stderr.decode()[-2000:]}")
        return json.loads(result.stdout.decode().strip().splitlines()[-1])

    def configure(
        self, *, theme: str | None = None, rest: bool | None = None, permalinks: str | None = None, **options: Any
    ) -> None:
        """Switch the theme, open or close the REST API, choose the form of addresses, set options."""
        if rest is not None:
            options["chorus_rest_off"] = "" if rest else "1"
        named = {"theme": theme, "permalinks": permalinks}
        self.php("options", options=options, **{name: value for name, value in named.items() if value is not None})
