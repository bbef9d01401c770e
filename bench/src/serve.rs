//! An application as a program: serves on a free port for as long as its standard input is open.

use std::future::Future;
use std::io::Read;

use axum::Router;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Serves what `make` gives, and prints where. With a core, one worker on that core; without,
/// as many workers as there are cores.
pub fn serve(core: Option<usize>, make: impl Future<Output = Router>) {
    std::thread::spawn(|| {
        let mut closed = [0];
        while std::io::stdin().read(&mut closed).is_ok_and(|read| read > 0) {}
        std::process::exit(0);
    });
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(core) = core {
        pin(core);
        builder.worker_threads(1);
    }
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let app = make.await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("serving");
    });
}

/// Keeps this thread, and those that it starts, on one core.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).unwrap_or_else(|error| panic!("no core {core}: {error}"));
}
