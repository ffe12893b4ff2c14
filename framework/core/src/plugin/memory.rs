//! The global allocator of a copy of the framework. Each side frees memory that the other
//! allocates, such as the text of an error, so both have to allocate from the system: a
//! `#[global_allocator]` with memory of its own would receive foreign pointers.

#![expect(unsafe_code, reason = "observes which allocator a copy of the framework has")]

use std::alloc::{GlobalAlloc, Layout, System, alloc, dealloc};
use std::hint::black_box;

/// Allocator of a copy of the framework, as far as it can be observed.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The system's, perhaps behind one that counts.
    System,
    /// One of its own.
    Own,
    /// Not observable: the system's allocator does not reuse the block that was freed last.
    Unknown,
}

/// Observes the allocator of this copy. [`plugin!`](crate::plugin!) exports this function, which
/// leaves nothing allocated and cannot fail.
pub fn memory() -> Memory {
    memory_of(&Global)
}

/// True if each side may free what the other allocates.
pub(super) fn fit(plugin: Memory, host: Memory) -> bool {
    let own = |memory| memory == Memory::Own;
    !own(plugin) && !own(host)
}

/// The global allocator of this copy, which boxes, vectors and strings use.
struct Global;

// SAFETY: both are the functions of the one global allocator.
unsafe impl GlobalAlloc for Global {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { dealloc(block, layout) }
    }
}

/// An unusual size, small enough that allocators reuse the block that was freed last.
const BLOCK: Layout = Layout::new::<[u64; 113]>();
/// More free blocks than a thread caches.
const CACHED: usize = 128;
/// Number of trials: another thread may take the block of one.
const TRIALS: usize = 4;

/// Frees a block of `allocator` and checks whether the system hands it out next, as it does only
/// with blocks of its own. Each block is freed by the allocator that it came from.
fn memory_of(allocator: &impl GlobalAlloc) -> Memory {
    // SAFETY: the size is not zero, blocks are not read, and each is freed once with its layout.
    unsafe {
        // With an empty cache, the next block to be freed is the next to be reused.
        let held: [*mut u8; CACHED] = std::array::from_fn(|_| System.alloc(BLOCK));
        let memory = if !(0..TRIALS).all(|_| is_reused_by_the_system(&System)) {
            Memory::Unknown
        } else if (0..TRIALS).any(|_| is_reused_by_the_system(allocator)) {
            Memory::System
        } else {
            Memory::Own
        };
        for block in held.into_iter().filter(|block| !block.is_null()) {
            System.dealloc(block, BLOCK);
        }
        memory
    }
}

unsafe fn is_reused_by_the_system(allocator: &impl GlobalAlloc) -> bool {
    // SAFETY: as above.
    unsafe {
        let block = black_box(allocator.alloc(BLOCK));
        if block.is_null() {
            return false;
        }
        let address = block.addr();
        allocator.dealloc(block, BLOCK);
        let next = black_box(System.alloc(BLOCK));
        let is_the_same = next.addr() == address;
        if !next.is_null() {
            System.dealloc(next, BLOCK);
        }
        is_the_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes on to the system; a block begins `SHIFT` bytes after that of the system.
    struct Shifted<const SHIFT: usize>;

    // SAFETY: blocks are longer by the shift, which is taken back when they are freed.
    unsafe impl<const SHIFT: usize> GlobalAlloc for Shifted<SHIFT> {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let layout = Layout::from_size_align(layout.size() + SHIFT, layout.align()).unwrap();
            // SAFETY: the shift lies within the block.
            unsafe { System.alloc(layout).add(SHIFT) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            let layout = Layout::from_size_align(layout.size() + SHIFT, layout.align()).unwrap();
            // SAFETY: the system's block begins the shift before it.
            unsafe { System.dealloc(block.sub(SHIFT), layout) }
        }
    }

    #[test]
    fn memory_of_the_system_is_told_from_that_of_another_allocator_on_any_thread() {
        let check = || {
            for _ in 0..100 {
                assert_eq!(memory(), Memory::System);
                assert_eq!(memory_of(&Shifted::<0>), Memory::System);
                assert_eq!(memory_of(&Shifted::<16>), Memory::Own);
            }
        };
        check();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(check);
            }
        });
    }

    #[test]
    fn only_an_allocator_of_ones_own_does_not_fit() {
        use Memory::{Own, System, Unknown};
        let fits = [(System, System), (Unknown, Unknown), (System, Unknown)];
        assert!(fits.into_iter().all(|(plugin, host)| fit(plugin, host)));
        let unfit = [(Own, System), (System, Own), (Own, Own), (Own, Unknown)];
        assert!(!unfit.into_iter().any(|(plugin, host)| fit(plugin, host)));
    }
}
