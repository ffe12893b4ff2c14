//! Addresses of this machine at which the processes of a group find each other.

use super::Place;
use crate::error::{Error, Result};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Pause between two tries to reach rank 0, and the shortest wait for a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for a connection to one of its addresses.
const TRY: Duration = Duration::from_secs(5);

/// The socket of the store: at MASTER_ADDR alone if that is an address of this machine, because
/// whoever connects is served; `None` for a name.
pub(super) fn listener(place: &Place) -> Result<Option<OwnedFd>> {
    let Ok(address) = place.host.parse::<IpAddr>() else { return Ok(None) };
    match TcpListener::bind((address, place.port)) {
        Ok(listener) => Ok(Some(listener.into())),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            Err(taken(&format!("{address}:{}", place.port), &e.to_string()))
        }
        // An address that leads here by way of another machine.
        Err(_) => Ok(None),
    }
}

/// Waits until a program listens at the port of rank 0, whose name may be known only when its
/// machine has started; why none does, if it has not come by `until`.
pub(super) fn await_listener(place: &Place, until: Instant) -> Result<(), String> {
    loop {
        let reach = |to: SocketAddr| {
            let rest = until.saturating_duration_since(Instant::now());
            TcpStream::connect_timeout(&to, rest.clamp(PAUSE, TRY))
        };
        let mut last = "it has no address".to_owned();
        match (place.host.as_str(), place.port).to_socket_addrs() {
            Ok(all) => {
                for to in all {
                    match reach(to) {
                        Ok(_) => return Ok(()),
                        Err(e) => last = e.to_string(),
                    }
                }
            }
            Err(e) => last = e.to_string(),
        }
        if Instant::now() + PAUSE >= until {
            return Err(last);
        }
        std::thread::sleep(PAUSE);
    }
}

/// The error of a port that is taken.
pub(super) fn taken(at: &str, why: &str) -> Error {
    Error::runtime(format!(
        "rank 0 cannot listen at {at} ({why})\n  help: another training may be at work there: set \
         another MASTER_PORT"
    ))
}

/// This machine's address on the way to `host`; nothing is sent. That of the machine's own name is
/// 127.0.1.1 on many.
pub(super) fn address_towards(host: &str, port: u16) -> Result<IpAddr> {
    let to = (host, port).to_socket_addrs();
    let no_way = |e: std::io::Error| Error::runtime(format!("there is no way to {host}: {e}"));
    let mut last = std::io::Error::other("it has no address");
    for to in to.map_err(no_way)? {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let own = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(to)?;
            socket.local_addr()
        });
        match own {
            Ok(own) => return Ok(own.ip()),
            Err(e) => last = e,
        }
    }
    Err(no_way(last))
}

/// Name of this machine; empty where the system does not say it.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
