use super::*;
use crate::group::host;
use std::sync::Barrier;

fn taken(path: &Path) -> Option<Lock> {
    match Lock::take(path).unwrap() {
        Taken::Here(lock) => Some(lock),
        Taken::Elsewhere(_) => None,
    }
}

/// Writes the lock of a changed holder, which was renewed `ago` seconds before.
fn leave(path: &Path, ago: u64, change: impl FnOnce(&mut Holder)) {
    let mut holder = Holder::this();
    change(&mut holder);
    std::fs::write(path, serde_json::to_string(&holder).unwrap()).unwrap();
    renewed(path, ago);
}

fn renewed(path: &Path, ago: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(ago)).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_lock_is_held_once_and_named_until_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".job.lock");
    assert_eq!(Lock::holder(&path).unwrap(), None);
    let lock = taken(&path).unwrap();
    let Taken::Elsewhere(Some(holder)) = Lock::take(&path).unwrap() else { panic!() };
    assert_eq!((holder.pid, &holder.host), (std::process::id(), &host()));
    assert_eq!(Lock::holder(&path).unwrap(), Some(Some(holder)));
    assert_eq!(names(folder.path()), [".job.lock"]);
    drop(lock);
    assert!(names(folder.path()).is_empty());
    assert!(taken(&path).is_some());
}

/// The lock of a killed process of this system is free at once, whatever its container was called;
/// that of a process of another machine, when it was not renewed for long; one from before a reboot
/// of this machine, when it was not renewed since.
#[test]
fn locks_of_processes_that_ended_are_taken_over_and_those_of_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".lock");
    let free = |ago: u64, change: &dyn Fn(&mut Holder)| {
        leave(&path, ago, change);
        taken(&path).is_some()
    };
    let other = |h: &mut Holder| (h.host, h.boot) = ("other".into(), Some("other".into()));
    let before = |h: &mut Holder| h.boot = Some("before".into());
    assert!(free(0, &|h| h.pid = 1));
    assert!(free(0, &|h| h.host = "container".into()));
    assert!(!free(STALE_SECONDS - 60, &other));
    assert!(free(STALE_SECONDS + 60, &other));
    // A machine of the same name, or this one before it was started again.
    assert!(!free(0, &before));
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    if uptime + 10.0 < STALE_SECONDS as f64 {
        assert!(free(uptime as u64 + 10, &before));
    }
    // The time is in the future for a clock that is behind.
    leave(&path, 0, other);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
    assert!(taken(&path).is_none());
}

#[test]
fn a_lock_that_names_no_holder_is_left_to_whoever_is_writing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".lock");
    for text in ["", "{", "\u{0}\u{0}"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(Lock::holder(&path).unwrap(), Some(None), "{text:?}");
        renewed(&path, 60);
        assert!(taken(&path).is_some(), "{text:?}");
    }
}

#[test]
fn without_locks_of_the_file_system_a_process_is_known_by_its_number_and_start() {
    let lives = |change: &dyn Fn(&mut Holder), sign: Sign, ago: u64| {
        let mut holder = Holder::this();
        change(&mut holder);
        holder.lives(sign, &|| Duration::from_secs(ago))
    };
    assert!(lives(&|_| {}, Sign::Unknown, 10_000));
    assert!(lives(&|_| {}, Sign::Locked, 10_000) && !lives(&|_| {}, Sign::Free, 0));
    assert!(!lives(&|h| h.started = h.started.map(|ticks| ticks + 1), Sign::Unknown, 0));
    assert!(!lives(&|h| h.pid = u32::MAX, Sign::Unknown, 0));
    // The same number in another container is another process.
    let elsewhere = |h: &mut Holder| (h.pid, h.pids) = (u32::MAX, Some("other".into()));
    assert!(lives(&elsewhere, Sign::Unknown, 0) && !lives(&elsewhere, Sign::Unknown, 10_000));
}

#[test]
fn a_renewed_lock_has_the_present_time_and_one_that_was_taken_over_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".lock");
    let lock = taken(&path).unwrap();
    renewed(&path, 3600);
    assert!(lock.held.renew() && !lock.is_lost());
    let age =
        SystemTime::now().duration_since(std::fs::metadata(&path).unwrap().modified().unwrap());
    assert!(age.unwrap_or_default() < Duration::from_secs(1800));

    std::fs::remove_file(&path).unwrap();
    let other = taken(&path).unwrap();
    assert!(!lock.held.renew() && lock.is_lost());
    drop(lock);
    assert!(path.exists() && !other.is_lost());
}

/// Many threads find a stale lock at once: one of them takes it over. With hard links, and without.
#[test]
fn of_many_that_find_a_stale_lock_one_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".lock");
    let unable: Link = |_, _| Err(ErrorKind::PermissionDenied.into());
    for (round, link) in (0..50).flat_map(|i| [(i, hard_link as Link), (i, unable)]) {
        leave(&path, STALE_SECONDS + 60, |h| h.boot = Some("other".into()));
        let start = Barrier::new(8);
        let contend = || {
            start.wait();
            for _ in 0..ATTEMPTS {
                if let Some(held) = create(&path, link).unwrap() {
                    return Some(held);
                }
                let Some(found) = Found::at(&path).unwrap() else { continue };
                if found.lives() {
                    return None;
                }
                found.remove().unwrap();
            }
            None
        };
        let held: Vec<Held> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(contend)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(held.len(), 1, "round {round}");
        assert!(held[0].is_in_place());
        held[0].remove();
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn waiting_ends_with_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".lock");
    let lock = taken(&path).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| Lock::wait(&path).is_ok());
        drop(lock);
        assert!(waits.join().unwrap());
    });
}
