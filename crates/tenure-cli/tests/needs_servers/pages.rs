//! The pages of the book whose commands need a store of another machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use tenure_book::pages::Page;
use tenure_book::shell::Shell;
use tenure_servers::{Postgres, Redis, free_port};

/// A server that lets others than its superuser in as Debian's does, with a password.
fn postgres() -> Postgres {
    let server = Postgres::start();
    let lines = "('host all postgres 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')";
    let file = server.sql("SHOW hba_file");
    server.sql(&format!("COPY (VALUES {lines}) TO '{file}'"));
    server.sql("SELECT pg_reload_conf()");
    server
}

/// A folder with a `sudo` that runs commands as the superuser of a server, and no others.
fn sudo(postgres: &Postgres) -> TempDir {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sudo");
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2\" = '-iu postgres' ] || exit 1\nshift 2\ncd /\n\
         PGHOST=127.0.0.1 PGPORT={} PGUSER=postgres exec \"$@\"\n",
        postgres.port()
    );
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// A shell for a page that has a database made for it.
fn shell(postgres: &Postgres, sudo: &TempDir) -> Shell {
    let programs = Path::new(env!("CARGO_BIN_EXE_tenure")).parent().unwrap();
    let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", sudo.path().display(), programs.display());
    let shell = Shell::new(programs, &[("PATH", &path), ("TENURE_LISTEN", "127.0.0.1:0")]);
    shell.number(5432, postgres.port())
}

/// A port for a server of a cluster, which takes a second one above it.
fn port_in_a_cluster() -> u16 {
    let mut ports = (0..1_000).map(|_| free_port());
    ports.find(|port| port.checked_add(10_000).is_some()).expect("not all ports are high")
}

#[test]
fn nodes() {
    let postgres = postgres();
    let sudo = sudo(&postgres);
    // As Debian's is, and worse.
    let redis = Redis::start_with(&["appendonly no", "maxmemory-policy allkeys-lru"]);
    let mut shell = shell(&postgres, &sudo).number(6379, redis.port());
    for port in [8700, 8701, 6381, 6382, 6383, 26381, 26382, 26383] {
        shell = shell.number(port, free_port());
    }
    for port in 7001..=7006 {
        shell = shell.number(port, port_in_a_cluster());
    }
    shell.run(&Page::named("nodes.md"));
    // What the page sets is there after a restart.
    redis.stop();
    redis.start_again();
    assert_eq!(redis.cli("CONFIG GET appendonly"), "appendonly\nyes");
    assert_eq!(redis.cli("CONFIG GET maxmemory-policy"), "maxmemory-policy\nnoeviction");
}

#[test]
fn moving() {
    let postgres = postgres();
    let sudo = sudo(&postgres);
    shell(&postgres, &sudo).run(&Page::named("moving.md"));
}
