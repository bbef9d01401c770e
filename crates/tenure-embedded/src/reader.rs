//! Reading: a few threads, each with a connection of its own, that never wait for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tenure::store::StoreError;
use tokio::sync::{Semaphore, oneshot};

use crate::error::{self, Result};
use crate::schema;

/// How many reads may wait. Beyond, callers wait without being queued.
const WAITING: usize = 4096;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The threads that read.
pub(crate) struct Readers {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    room: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts `count` threads on a database.
    pub(crate) fn start(database: &Path, count: usize) -> std::result::Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for n in 0..count {
            let conn = schema::open_reader(database)?;
            let (jobs, database) = (Arc::clone(&jobs), database.to_owned());
            let thread = std::thread::Builder::new()
                .name(format!("tenure-read-{n}"))
                .spawn(move || serve(conn, &database, &jobs))
                .map_err(|e| StoreError::Unavailable(format!("no thread to read with: {e}")))?;
            threads.push(thread);
        }
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            room: Arc::new(Semaphore::new(WAITING)),
            threads: Mutex::new(threads),
        })
    }

    /// Runs `work` on one of the connections.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, StoreError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| error::closed())?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            // Whoever asked may be gone; then nobody wants to know.
            if !reply.is_closed() {
                let _ = reply.send(work(conn).map_err(StoreError::from));
            }
            drop(room);
        });
        let sent = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.send(job).is_ok(),
            None => false,
        };
        if !sent {
            return Err(error::closed());
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("reading broke off".into())))
    }

    /// Lets the reads that are under way finish, takes no more, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.room.close();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Held while waiting, so that a second call waits too.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reading thread had panicked");
            }
        }
    }
}

fn serve(conn: Connection, database: &Path, jobs: &Mutex<mpsc::Receiver<Job>>) {
    let mut conn = conn;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { break };
        if catch_unwind(AssertUnwindSafe(|| job(&conn))).is_err() {
            tracing::error!("a read panicked; this is a bug in Tenure, please report it");
            match schema::open_reader(database) {
                Ok(fresh) => conn = fresh,
                Err(error) => tracing::error!(%error, "no fresh connection to read with"),
            }
        }
    }
}
