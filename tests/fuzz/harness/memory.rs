//! Bytes of Rust's memory that are in use, counted by its allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Most bytes that an input of `length` bytes may take beside what was in use before.
pub fn bound(length: usize) -> usize {
    (64 << 20) + 20 * length
}

/// The system's allocator, which counts.
pub struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static STOPS: AtomicBool = AtomicBool::new(false);

/// Makes the process print where it asks for memory beyond the bound, and abort.
#[allow(dead_code, reason = "the fuzzer alone stops there")]
pub fn stop_beyond() {
    STOPS.store(true, Relaxed);
}

/// Begins to watch over an input that may take `bound` bytes.
pub fn begin(bound: usize) {
    let used = USED.load(Relaxed);
    BEFORE.store(used, Relaxed);
    PEAK.store(used, Relaxed);
    LIMIT.store(used.saturating_add(bound), Relaxed);
}

/// The most bytes that were in use since [`begin`], beside those before.
pub fn end() -> usize {
    LIMIT.store(usize::MAX, Relaxed);
    PEAK.load(Relaxed).saturating_sub(BEFORE.load(Relaxed))
}

fn took(size: usize) {
    let used = USED.fetch_add(size, Relaxed).saturating_add(size);
    PEAK.fetch_max(used, Relaxed);
    asked(used);
}

/// Notes that one block of `size` bytes is asked for beside what is in use. It is not counted
/// further: its size is not known when it is freed.
pub fn asked_for(size: usize) {
    let used = USED.load(Relaxed).saturating_add(size);
    PEAK.fetch_max(used, Relaxed);
    asked(used);
}

fn asked(used: usize) {
    let limit = LIMIT.load(Relaxed);
    if used > limit && STOPS.load(Relaxed) {
        LIMIT.store(usize::MAX, Relaxed);
        let beyond = used - limit;
        eprintln!("{beyond} bytes of memory beyond the bound are asked for at");
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
        std::process::abort();
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old block lives beside the new one until it has been copied.
        took(size);
        // SAFETY: as the caller promises.
        let moved = unsafe { System.realloc(memory, layout, size) };
        USED.fetch_sub(if moved.is_null() { size } else { layout.size() }, Relaxed);
        moved
    }
}
