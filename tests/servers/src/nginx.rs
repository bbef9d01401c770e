//! nginx, from Debian's package.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::keeper::{Keeper, run};
use crate::postgres::free_port;

/// A proxy that gives each request to the next of its nodes, whoever sent it, and tries another when
/// one does not answer.
pub struct Nginx {
    port: u16,
    _keeper: Keeper,
}

impl Nginx {
    /// Before nodes at these ports of loopback.
    ///
    /// # Panics
    /// When it cannot be started: `cargo xtask test` installs the package.
    pub fn before(nodes: &[u16]) -> Self {
        let folder = tempfile::Builder::new().prefix("tenure-nginx-").tempdir().expect("a folder").keep();
        let port = free_port();
        let servers: String = nodes.iter().map(|node| format!("server 127.0.0.1:{node};\n")).collect();
        let conf = folder.join("conf");
        fs::write(&conf, settings(&folder, &servers, port)).expect("a file");
        let keeper = Keeper::of(&folder, &folder.join("pid"), "TERM");
        // It goes into the background by itself once it listens.
        run(Command::new(program()).arg("-p").arg(&folder).arg("-c").arg(&conf));
        Self { port, _keeper: keeper }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn settings(folder: &std::path::Path, servers: &str, port: u16) -> String {
    let at = folder.display();
    format!(
        "pid {at}/pid;
error_log {at}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
    upstream nodes {{ {servers} keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://nodes;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $host;
            proxy_connect_timeout 1s;
        }}
    }}
}}
"
    )
}

/// Not everybody has the folder of the system's programs on the path.
fn program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.exists() { usual } else { "nginx".into() }
}
