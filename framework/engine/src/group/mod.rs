//! Processes that train one model together, on LibTorch's c10d: each takes a share of the rows, and
//! they sum what comes of it. A process alone is a group of one, in which every call does nothing.

mod c10d;
mod environment;
mod nccl;
mod network;
mod sums;
#[cfg(test)]
pub(crate) mod tests;

pub use environment::Place;
pub use network::host;
pub use sums::Sums;

use crate::error::{Error, Result, first_line};
use crate::threads;
use c10d::{C10d, Meeting};
use network::{address_towards, await_listener, listener, taken};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// Longest wait for another process, unless it is set.
pub const TIMEOUT: Duration = Duration::from_secs(300);
/// Time in which the others can read why rank 0, which may keep the store, has failed.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Longest wait of rank 0, which may keep the store, for the others to leave.
const FAREWELL: Duration = Duration::from_secs(10);
/// Shortest time in which the store can be opened once somebody listens at its port.
const OPENING: Duration = Duration::from_secs(1);
/// Longest wait for the store after a failure, which may have stopped it.
const ANSWER: Duration = Duration::from_secs(2);
/// Key of the reason for which the first process failed.
const FAILURE: &str = "failure";
/// Key of the first process that lost another.
const LOST: &str = "lost";
/// Key of the error of rank 0.
const SAID: &str = "said";

/// A group of processes, or a process alone. Copies are of the same group. Every process must make
/// the same calls in the same order.
#[derive(Clone, Debug, Default)]
pub struct Group(Option<Arc<Joined>>);

#[derive(Debug)]
struct Joined {
    place: Place,
    local_rank: usize,
    local_size: usize,
    c10d: Arc<C10d>,
    /// This machine's address on the way to rank 0.
    address: String,
    timeout: Duration,
    /// Number of exchanges so far, which makes their keys unique.
    exchanges: AtomicU64,
    /// Time that sums have held this process up so far, in nanoseconds.
    in_sums: AtomicU64,
    connected: AtomicBool,
    failed: AtomicBool,
    /// True if another process is lost.
    lost: AtomicBool,
    /// True if another process says what has happened.
    follows: AtomicBool,
}

impl Group {
    /// This process alone.
    pub fn alone() -> Self {
        Self(None)
    }

    /// Joins the group that the environment describes ([`Place::of_environment`]); alone without
    /// one. Joining that takes longer than `timeout` is an error, and so is every later wait for
    /// another process.
    ///
    /// # Errors
    /// [`Error::Config`]: the environment makes no sense. [`Error::Runtime`]: the port is taken,
    /// another process has not come in time, or has another version of triflow.
    pub fn of_environment(timeout: Duration) -> Result<Self> {
        match Place::of_environment()? {
            Some(place) if place.size > 1 => Self::join(place, timeout),
            _ => Ok(Self::alone()),
        }
    }

    /// Joins a group at a given place.
    ///
    /// # Errors
    /// Those of [`of_environment`](Self::of_environment).
    pub fn join(place: Place, timeout: Duration) -> Result<Self> {
        let until = Instant::now() + timeout;
        let at = format!("{}:{}", place.host, place.port);
        let seconds = timeout.as_secs_f64();
        let nobody = |why: &str| {
            Error::runtime(format!(
                "no rank 0 answers at {at} within {seconds} s ({why})\n  help: check MASTER_ADDR and \
                 MASTER_PORT, that all ranks are started, and that no firewall is between them"
            ))
        };
        let listener = if place.serves { listener(&place)? } else { None };
        if !place.serves {
            await_listener(&place, until).map_err(|why| nobody(&why))?;
        }
        let meeting = Meeting {
            host: place.host.clone(),
            port: place.port,
            serves: place.serves,
            listener,
            prefix: format!("triflow/{}", place.restarts),
            rank: place.rank,
            size: place.size,
            timeout,
        };
        // c10d tries for up to twice the time, and waits for ever for a program that is silent.
        let opened = within(left(until).max(OPENING), move || C10d::open(meeting));
        let opened = opened.unwrap_or_else(|| Err("whoever listens there is silent".to_owned()));
        let c10d = opened.map_err(|why| match place.serves {
            true => taken(&at, &why),
            false => nobody(&why),
        })?;
        let address = address_towards(&place.host, place.port)?;
        let mut joined = Joined {
            local_rank: 0,
            local_size: 1,
            c10d: Arc::new(c10d),
            address: address.to_string(),
            timeout,
            exchanges: AtomicU64::new(0),
            in_sums: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            follows: AtomicBool::new(false),
            place,
        };
        joined.meet(address, until).inspect_err(|e| joined.fail(e))?;
        log::info!(
            "rank {} of {} ({}), at {at}",
            joined.place.rank,
            joined.place.size,
            joined.place.from
        );
        threads::share(joined.local_size);
        Ok(Self(Some(Arc::new(joined))))
    }

    /// Number of this process, from 0. Rank 0 is the one that writes.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |joined| joined.place.rank)
    }

    /// True for rank 0.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Number of processes.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |joined| joined.place.size)
    }

    /// True for a process alone.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Number of this process among those of its machine, from 0.
    pub fn local_rank(&self) -> usize {
        self.0.as_ref().map_or(0, |joined| joined.local_rank)
    }

    /// This process's share of `n` rows in a row.
    pub fn share(&self, n: i64) -> Range<i64> {
        part(n, self.rank() as i64, self.size() as i64)
    }

    /// Connects with the others for sums of tensors on `device`: by NCCL on a GPU, if its library
    /// is there, else by gloo. Does nothing the second time.
    ///
    /// # Errors
    /// [`Error::Runtime`]: a connection fails.
    pub fn connect(&self, device: Device) -> Result<()> {
        let Some(joined) = &self.0 else { return Ok(()) };
        if joined.connected.load(Ordering::Relaxed) {
            return Ok(());
        }
        let nccl = match device {
            Device::Cuda(index) => nccl::library().map(|path| (path, index)),
            _ => None,
        };
        let given = nccl.as_ref().map(|(path, index)| (path.as_path(), *index));
        let backend = if given.is_some() { "NCCL" } else { "gloo" };
        // Backends that differ would wait for each other.
        self.agree(&BTreeMap::from([("backend".to_owned(), backend.to_owned())]))?;
        let connected = joined.c10d.connect(&joined.address, given);
        connected.map_err(|why| joined.lost(&why))?;
        joined.connected.store(true, Ordering::Relaxed);
        log::debug!("connected by {backend} from {}", joined.address);
        Ok(())
    }

    /// Replaces tensors by their sums over the group, which have the same bits in every process.
    ///
    /// # Errors
    /// [`Error::Runtime`]: another process is lost.
    pub fn sum(&self, tensors: &mut [&mut Tensor]) -> Result<()> {
        let mut sums = self.sums();
        for tensor in tensors {
            sums.begin(tensor)?;
        }
        sums.finish()
    }

    /// Sums over the group that go on in the background.
    pub fn sums(&self) -> Sums<'_> {
        Sums::new(self)
    }

    /// Time for which sums have held this process up so far, waiting for others included; of a GPU
    /// the time to start them.
    pub fn time_in_sums(&self) -> Duration {
        let in_sums = self.0.as_ref().map(|joined| joined.in_sums.load(Ordering::Relaxed));
        Duration::from_nanos(in_sums.unwrap_or(0))
    }

    /// Replaces a tensor by that of rank 0.
    ///
    /// # Errors
    /// [`Error::Runtime`]: another process is lost.
    pub fn broadcast(&self, tensor: &mut Tensor) -> Result<()> {
        self.with(|joined| joined.c10d.broadcast(tensor, 0))
    }

    /// Puts the [shares](Self::share) of `n` rows together, `own` being this process's.
    ///
    /// # Errors
    /// [`Error::Runtime`]: another process is lost.
    pub fn gather(&self, own: Tensor, n: i64) -> Result<Tensor> {
        if self.is_alone() {
            return Ok(own);
        }
        let size = self.size();
        let mut parts = Vec::new();
        for rank in 0..size {
            let rows = part(n, rank as i64, size as i64);
            let mut rows = match rank == self.rank() {
                true => own.contiguous(),
                false => {
                    let shape = [&[rows.end - rows.start], &own.size()[1..]].concat();
                    Tensor::empty(shape, (own.kind(), own.device()))
                }
            };
            if rows.numel() > 0 {
                self.with(|joined| joined.c10d.broadcast(&mut rows, rank))?;
            }
            parts.push(rows);
        }
        Ok(Tensor::cat(&parts, 0))
    }

    /// The text of rank 0.
    ///
    /// # Errors
    /// [`Error::Runtime`]: another process is lost.
    pub fn tell(&self, text: &str) -> Result<String> {
        Ok(self.exchange(text)?.swap_remove(0))
    }

    /// The texts of all processes, by rank.
    ///
    /// # Errors
    /// [`Error::Runtime`]: another process is lost.
    pub fn exchange(&self, text: &str) -> Result<Vec<String>> {
        let Some(joined) = &self.0 else { return Ok(vec![text.to_owned()]) };
        joined.exchange(text, joined.timeout).map_err(|(_, why)| joined.lost(&why))
    }

    /// Checks that all processes have the same `facts`, values by names.
    ///
    /// # Errors
    /// [`Error::Config`], the same in all: a rank has another value than rank 0.
    /// [`Error::Runtime`]: another process is lost.
    pub fn agree(&self, facts: &BTreeMap<String, String>) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        let text = serde_json::to_string(facts).map_err(|e| Error::runtime(e.to_string()))?;
        let all = self.exchange(&text)?;
        let read = |text: &str| -> Result<BTreeMap<String, String>> {
            serde_json::from_str(text).map_err(|e| Error::runtime(e.to_string()))
        };
        let first = read(&all[0])?;
        for (rank, other) in all.iter().enumerate().skip(1) {
            let other = read(other)?;
            let mut names = first.keys().chain(other.keys());
            let Some(name) = names.find(|name| first.get(*name) != other.get(*name)) else {
                continue;
            };
            let value = |of: &BTreeMap<String, String>| {
                of.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
            };
            return Err(Error::config(
                "",
                format!(
                    "rank {rank} has another `{name}` than rank 0: {}, not {}",
                    value(&other),
                    value(&first)
                ),
            )
            .help("all ranks need the same command, files and plugins"));
        }
        Ok(())
    }

    /// Does `work`, and tells the others of an error that ends it.
    ///
    /// # Errors
    /// That of `work`.
    pub fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        work().inspect_err(|e| {
            if let Some(joined) = &self.0 {
                joined.fail(e);
            }
        })
    }

    /// True if another process says why this one fails.
    pub fn follows(&self) -> bool {
        self.0.as_ref().is_some_and(|joined| joined.follows.load(Ordering::Relaxed))
    }

    fn with(&self, call: impl FnOnce(&Joined) -> c10d::Answer<()>) -> Result<()> {
        let Some(joined) = &self.0 else { return Ok(()) };
        call(joined).map_err(|why| joined.lost(&why))
    }
}

/// Asks the store, which may have stopped; `None` without an answer.
fn ask<T: Send + 'static>(
    c10d: &Arc<C10d>,
    question: impl FnOnce(&C10d) -> c10d::Answer<T> + Send + 'static,
) -> Option<T> {
    let c10d = c10d.clone();
    within(ANSWER, move || question(&c10d))?.ok()
}

/// The result of `work`; `None` if it takes longer than `limit`, after which it is left alone.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (send, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(work());
    });
    result.recv_timeout(limit).ok()
}

/// Time until a deadline; a millisecond where it has passed.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// True for LibTorch's message of a wait that took too long.
fn is_timeout(why: &str) -> bool {
    why.contains("Timed out") || why.contains("imeout")
}

/// Rows of part `i` of `of` almost equal parts of `n` rows.
pub fn part(n: i64, i: i64, of: i64) -> Range<i64> {
    let at = |i: i64| (i128::from(n) * i128::from(i) / i128::from(of)) as i64;
    at(i)..at(i + 1)
}

impl Joined {
    /// Waits until all processes have come, and finds those of this machine.
    fn meet(&mut self, address: IpAddr, until: Instant) -> Result<()> {
        let fact = format!("{}\n{}\n{address}", host(), env!("CARGO_PKG_VERSION"));
        let all = self.exchange(&fact, left(until)).map_err(|(rank, why)| {
            if !is_timeout(&why) {
                return self.lost(&why);
            }
            let (size, seconds) = (self.place.size, self.timeout.as_secs_f64());
            Error::runtime(format!(
                "rank {rank} of {size} has not come within {seconds} s ({why})\n  help: see whether it \
                 was started, and its own message; `--timeout` sets the time"
            ))
        })?;
        let column = |i: usize| all.iter().map(move |fact| fact.split('\n').nth(i).unwrap_or(""));
        let own = self.place.rank;
        let here = host();
        self.local_size = column(0).filter(|host| *host == here).count().max(1);
        let before = column(0).take(own).filter(|host| *host == here).count();
        self.local_rank = self.place.local_rank.unwrap_or(before);
        let version = env!("CARGO_PKG_VERSION");
        if let Some((rank, other)) = column(1).enumerate().find(|(_, other)| *other != version) {
            let message = format!("rank {rank} is triflow {other}, this is triflow {version}");
            return Err(Error::runtime(message));
        }
        let is_local = |text: &str| text.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        // The user's choice of an interface replaces this address.
        let several =
            self.local_size < self.place.size && std::env::var_os("GLOO_SOCKET_IFNAME").is_none();
        if let Some((rank, address)) = column(2).enumerate().find(|(_, a)| several && is_local(a)) {
            return Err(Error::runtime(format!(
                "rank {rank} finds MASTER_ADDR ({}) at {address}, where no other machine reaches it\n  \
                 help: set MASTER_ADDR to an address of the machine of rank 0 in the network of the \
                 ranks, or GLOO_SOCKET_IFNAME to the name of that network's interface",
                self.place.host
            )));
        }
        Ok(())
    }

    /// The texts of all processes, by rank; or the first rank without one within `limit`, and why.
    fn exchange(&self, text: &str, limit: Duration) -> Result<Vec<String>, (usize, String)> {
        let until = Instant::now() + limit;
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        // gloo has keys of its own in the store, which begin with numbers.
        let key = |rank: usize| format!("exchange/{number}/{rank}");
        self.c10d.set(&key(self.place.rank), text).map_err(|why| (0, why))?;
        let of = |rank| self.c10d.get(&key(rank), left(until)).map_err(|why| (rank, why));
        (0..self.place.size).map(of).collect()
    }

    /// Tells the others that this process ends with an error: their calls fail, and give its text.
    /// An interruption is none.
    fn fail(&self, error: &Error) {
        if matches!(error, Error::Interrupted { .. } | Error::Stopped { .. })
            || self.failed.swap(true, Ordering::Relaxed)
        {
            return;
        }
        // What follows from another failure is no reason to tell.
        let key = if self.lost.load(Ordering::Relaxed) { LOST } else { FAILURE };
        let own = format!("rank {}: {}", self.place.rank, first_line(&error.to_string()));
        let said = own.clone();
        if let Some(first) = ask(&self.c10d, move |c10d| c10d.set_first(key, &said)) {
            self.follows.fetch_or(first != own, Ordering::Relaxed);
        }
        let text = error.to_string();
        if self.place.rank == 0 {
            ask(&self.c10d, move |c10d| c10d.set(SAID, &text));
        } else if error.exit_code() != 1 {
            // What is wrong with the command is wrong in every process.
            let said = ask(&self.c10d, |c10d| c10d.get(SAID, ANSWER));
            self.follows.fetch_or(said == Some(text), Ordering::Relaxed);
        }
        self.c10d.disconnect();
        if self.place.serves {
            std::thread::sleep(LAST_WORDS);
        }
    }

    /// The error of a call that failed with LibTorch's message `why`.
    fn lost(&self, why: &str) -> Error {
        self.lost.store(true, Ordering::Relaxed);
        let said = ask(&self.c10d, |c10d| c10d.find(FAILURE)).flatten();
        self.follows.store(said.is_some(), Ordering::Relaxed);
        Error::runtime(match said {
            Some(said) => format!("a rank was lost: {said}"),
            None if is_timeout(why) => format!(
                "a rank was lost: it does not answer within {} s ({why})",
                self.timeout.as_secs_f64()
            ),
            None => format!("a rank was lost ({why})"),
        })
    }
}

impl Drop for Joined {
    /// Leaves the group. The store stays until the others have left it.
    fn drop(&mut self) {
        if self.failed.load(Ordering::Relaxed) || std::thread::panicking() {
            return;
        }
        let left = ask(&self.c10d, |c10d| c10d.count("left"));
        if left.is_none() {
            return;
        }
        let began = Instant::now();
        while self.place.serves && began.elapsed() < FAREWELL {
            let all = self.place.size as i64;
            // A counter is its number as text.
            let left = ask(&self.c10d, |c10d| c10d.find("left")).flatten();
            let left = left.and_then(|left| left.parse::<i64>().ok());
            if left.is_none_or(|left| left >= all) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
