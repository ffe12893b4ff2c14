//! HTTP server of one trained run: samples and predictions on request, health and counts.
//!
//! Connections are served by one thread; the model is sampled by the thread that calls [`serve`].
//! Requests that wait together are drawn as one batch. What they ask for is checked and drawn by
//! [`triflow::request`], as for the command.
//!
//! Layers: `json` `rows`, `ask`, `metrics`, `work`, `pages`, `http`.

mod ask;
mod http;
mod json;
mod metrics;
mod pages;
mod rows;
mod work;

use http::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use pages::Pages;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use triflow::error::reason;
use triflow::run::Run;
use triflow::{Error, Result, Trained};
use work::{Queue, Shared, Worker};

/// Largest number of connections at once; further ones wait.
const CONNECTIONS: usize = 512;
/// Largest time in which the head of a request arrives, and for which a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);

/// Limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest size of a body, and of its arrays when they are unpacked, in bytes.
    pub body: usize,
    /// Largest number of rows of one request, of all its draws.
    pub rows: i64,
    /// Largest number of rows of a batch of several requests; 1: each is drawn alone.
    pub batch: i64,
    /// Largest number of requests that wait.
    pub queue: usize,
    /// Largest time from a request to its answer.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 << 20,
            rows: 10_000,
            batch: 1024,
            queue: 256,
            time: Duration::from_secs(60),
        }
    }
}

/// Takes an address to listen on; port 0 is any that is free.
///
/// # Errors
/// [`Error::Config`]: there is no such address, or it cannot be listened on.
pub fn listen(host: &str, port: u16) -> Result<TcpListener> {
    let no_host = |why: String| Error::config("", why).placed("--host");
    let mut found = (host, port)
        .to_socket_addrs()
        .map_err(|e| no_host(format!("`{host}` is no address of this machine: {}", reason(&e))))?;
    let address = found.next().ok_or_else(|| no_host(format!("`{host}` has no address")))?;
    let listener = TcpListener::bind(address).map_err(|e| {
        Error::config("", format!("cannot listen on {address}: {}", reason(&e))).placed("--port")
    })?;
    listener.set_nonblocking(true).map_err(|e| Error::runtime(e.to_string()))?;
    Ok(listener)
}

/// Serves a model until `stop` says so; requests that have arrived are answered before it returns.
/// `seed` is that of requests without one, `None` for the run's. `ready` is called with the address
/// when requests are taken.
///
/// # Errors
/// [`Error::Runtime`]: the system gives no thread, or the thread of the connections fails.
pub fn serve(
    (run, mut model): (Run, Trained),
    listener: TcpListener,
    (limits, seed): (Limits, Option<u64>),
    ready: impl FnOnce(SocketAddr),
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let failed = |e: std::io::Error| Error::runtime(format!("the server fails: {}", reason(&e)));
    let address = listener.local_addr().map_err(failed)?;
    let shared = Arc::new(Shared { queue: Queue::new(limits.queue), metrics: Default::default() });
    let service = Arc::new(Service {
        shared: shared.clone(),
        limits,
        pages: Pages::of(&run, &model, limits),
        running: AtomicUsize::new(0),
        stopping: AtomicBool::new(false),
    });
    let (stopping, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(4)
        .build()
        .map_err(failed)?;
    let connections = {
        let (service, shared) = (service.clone(), shared.clone());
        let serve = move || {
            let done = runtime.block_on(accept(listener, service, stopped));
            // Also where it fails: nothing more will come.
            shared.queue.close();
            runtime.shutdown_background();
            done
        };
        std::thread::Builder::new().name("triflow-http".to_owned()).spawn(serve).map_err(failed)?
    };
    ready(address);
    let (rows, batch) = (limits.rows, limits.batch);
    let mut worker =
        Worker { run: &run, model: &mut model, metrics: &shared.metrics, rows, batch, seed };
    worker.work(&shared.queue, &mut || {
        if stop() && !service.stopping.swap(true, Ordering::SeqCst) {
            let _ = stopping.send(true);
        }
    });
    let done = connections.join();
    done.unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked"))).map_err(failed)
}

/// Takes connections until the server is to stop, and waits for those that are there.
async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let time = service.limits.time;
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 << 10);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let stop = async {
            // An error means that nobody can stop the server any more.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let Some((place, taken)) = first(next, stop).await else { break };
        let stream = match taken {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Such as too many open files: others may be closed soon.
                log::warn!("a connection was not taken: {}", reason(&e));
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let answer = hyper::service::service_fn(move |request| service.clone().answer(request));
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                log::debug!("a connection ended: {e}");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(time, graceful.shutdown()).await.is_err() {
        log::warn!("some connections did not end");
    }
    Ok(())
}

/// The result of `work`, or `None` if `stop` ends before.
async fn first<T>(work: impl Future<Output = T>, stop: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut stop) = (std::pin::pin!(work), std::pin::pin!(stop));
    std::future::poll_fn(|context| {
        use std::task::Poll;
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}
