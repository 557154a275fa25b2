"""The embedded Postgres: started, killed, left behind, in the wrong place."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from ctrip.dev import child, postgres
from ctrip.dev.child import CannotStart


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cluster that was started and stopped once, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    postgres.start(folder, durable=False).stop()
    return folder


@pytest.fixture
def warm(made: Path, folder: Path) -> Path:
    """A folder with a stopped cluster."""
    owner = (made / "data").stat()
    shutil.copytree(made, folder, dirs_exist_ok=True)
    for path in (folder / "data", *(folder / "data").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return folder


async def ask(url: str, query: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def test_a_fresh_folder_becomes_a_postgres_18(folder: Path) -> None:
    with postgres.start(folder / "deep" / "down", durable=False) as cluster:
        version = await ask(cluster.url, "SHOW server_version_num")
        assert str(version).startswith("18")
        assert await ask(cluster.url, "SHOW server_encoding") == "UTF8"
        assert await ask(cluster.url, "SHOW listen_addresses") == ""
        assert await ask(cluster.url, "SELECT setting FROM pg_settings WHERE name = 'TimeZone'")


async def test_a_durable_cluster_waits_for_the_disk(warm: Path) -> None:
    with postgres.start(warm) as cluster:
        assert await ask(cluster.url, "SHOW fsync") == "on"
        assert await ask(cluster.url, "SHOW synchronous_commit") == "on"


async def test_what_was_committed_survives_a_kill_of_the_postmaster(warm: Path) -> None:
    first = postgres.start(warm)
    await ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    with postgres.start(warm) as second:
        assert second.pid != first.pid
        assert await ask(second.url, "SELECT answer FROM kept") == 42


async def test_stopping_twice_is_stopping_once(warm: Path) -> None:
    cluster = postgres.start(warm, durable=False)
    cluster.stop()
    cluster.stop()
    postgres.start(warm, durable=False).stop()


async def test_a_pid_that_belongs_to_another_program_now_is_no_server(warm: Path) -> None:
    pid_file = warm / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{warm / 'data'}\n0\n5432\n\n\n\nready\n")
    owner = (warm / "data").stat()
    os.chown(pid_file, owner.st_uid, owner.st_gid)
    with postgres.start(warm, durable=False) as cluster:
        assert await ask(cluster.url, "SELECT 1") == 1


@pytest.mark.parametrize("text", ["", "nonsense\n", "-1\n"])
async def test_a_pid_file_without_a_pid_is_forgotten(warm: Path, text: str) -> None:
    (warm / "data" / "postmaster.pid").write_text(text)
    postgres.start(warm, durable=False).stop()


START_AND_WAIT = """
import sys, time
from pathlib import Path
from ctrip.dev import postgres
cluster = postgres.start(Path(sys.argv[1]), durable=False)
print(cluster.pid, flush=True)
time.sleep(60)
"""


def start_elsewhere(folder: Path, path: str) -> tuple["subprocess.Popen[str]", int]:
    """Start the cluster in another process; return that and the postmaster's pid."""
    other = subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-c", START_AND_WAIT, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": path},
    )
    assert other.stdout
    return other, int(other.stdout.readline())


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


async def gone(pid: int, folder: Path) -> None:
    """Wait until the postmaster is no more. It is nobody's child here, so one has to look."""
    async with asyncio.timeout(10):
        while postgres.serves(str(pid), folder / "data"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_folder_in_use_is_refused_with_the_user_named(warm: Path) -> None:
    other, pid = start_elsewhere(warm, path="")
    try:
        with pytest.raises(CannotStart, match=f"in use by process {other.pid}: stop that ctrip"):
            postgres.start(warm)
    finally:
        end(other)
        os.kill(pid, signal.SIGINT)
        await gone(pid, warm)


async def test_a_server_whose_ctrip_was_killed_makes_way(warm: Path) -> None:
    other, pid = start_elsewhere(warm, path="")  # no setpriv there, so nothing tells the server
    end(other)
    assert postgres.serves(str(pid), warm / "data")
    with postgres.start(warm, durable=False) as cluster:
        assert await ask(cluster.url, "SELECT 1") == 1
        assert not postgres.serves(str(pid), warm / "data")


@pytest.mark.skipif(not child.leash(signal.SIGINT), reason="there is no setpriv here")
async def test_a_server_ends_when_its_ctrip_is_killed(warm: Path) -> None:
    other, pid = start_elsewhere(warm, os.environ["PATH"])
    end(other)
    await gone(pid, warm)


@pytest.mark.parametrize("name", ["long" * 40, "with space", "100% & more, ünïcode?#"])
async def test_a_path_that_no_socket_can_have_gets_a_short_one(folder: Path, name: str) -> None:
    with postgres.start(folder / name, durable=False) as cluster:
        assert await ask(cluster.url, "SELECT 1") == 1
        assert str(folder) not in cluster.url


async def test_postgres_own_programs_take_the_url(warm: Path) -> None:
    with postgres.start(warm, durable=False) as cluster:
        child.run([cluster.programs / "pgbench", "--initialize", "--quiet", cluster.url])
        assert await ask(cluster.url, "SELECT count(*) FROM pgbench_accounts") == 100_000


@pytest.mark.parametrize("durable", [True, False])
async def test_a_database_is_copied_from_a_template(warm: Path, *, durable: bool) -> None:
    with postgres.start(warm, durable=durable) as cluster:
        template = cluster.create("origin")
        await ask(template, "CREATE TABLE here AS SELECT 7 AS seven")
        copy = cluster.create("copy", template="origin")
        await ask(template, "DROP TABLE here")
        assert await ask(copy, "SELECT seven FROM here") == 7
        cluster.drop("copy")
        cluster.drop("copy")
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await ask(copy, "SELECT 1")


async def test_a_database_that_exists_already_is_said_so(warm: Path) -> None:
    with (
        postgres.start(warm, durable=False) as cluster,
        pytest.raises(CannotStart, match=r"createdb failed: .*already exists"),
    ):
        cluster.create("postgres")


async def test_data_of_another_version_is_refused(warm: Path) -> None:
    (warm / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(CannotStart, match="was made by Postgres 16 and this is 18: delete"):
        postgres.start(warm)


async def test_a_folder_full_of_something_else_is_left_alone(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "thesis.txt").write_text("unsaved work")
    with pytest.raises(CannotStart, match="is not the data of a Postgres"):
        postgres.start(folder)
    assert (folder / "data" / "thesis.txt").read_text() == "unsaved work"


async def test_a_cluster_that_was_half_made_is_made_again(folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    postgres.start(folder, durable=False).stop()
    assert not (folder / "data.new").exists()


async def test_the_end_of_the_log_says_why_it_cannot_start(warm: Path) -> None:
    (warm / "data" / "global" / "pg_control").unlink()
    for _ in range(2):  # and leaves the folder free for the next try
        with pytest.raises(CannotStart, match=r"did not start. The end of .*(?s:.*)pg_control"):
            postgres.start(warm)


async def test_a_file_in_the_way_is_a_sentence(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(CannotStart, match=r"the database folder .* cannot be used: .*: "):
        postgres.start(folder / "file")


def test_a_missing_extra_says_how_to_get_it() -> None:
    with pytest.raises(CannotStart, match=r"run `make setup`, install ctrip\[embedded\], or give"):
        postgres.find_programs("no_such_package")


def test_a_wheel_without_postgres_18_is_said_so() -> None:
    with pytest.raises(CannotStart, match="has no Postgres 18"):
        postgres.find_programs("msgspec")


def test_the_package_around_the_programs_is_never_imported() -> None:
    code = "import sys, ctrip.dev.postgres as p; p.find_programs(); print(p.PACKAGE in sys.modules)"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  ours
    assert said.stdout == "False\n"
