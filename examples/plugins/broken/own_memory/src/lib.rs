//! A library whose allocator puts something before each block: the program could free none of them.

use std::alloc::{GlobalAlloc, Layout, System};

triflow::plugin!();

struct Headed;

#[global_allocator]
static ALLOCATOR: Headed = Headed;

impl Headed {
    /// The layout with the head, and where the block begins in it.
    fn whole(layout: Layout) -> (Layout, usize) {
        let head = layout.align().max(16);
        let whole = Layout::from_size_align(layout.size() + head, layout.align());
        (whole.unwrap_or(layout), head)
    }
}

// SAFETY: blocks are longer by their head, and go back with it.
unsafe impl GlobalAlloc for Headed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (whole, head) = Self::whole(layout);
        // SAFETY: what the caller promises of the block holds for the whole.
        let begin = unsafe { System.alloc(whole) };
        if begin.is_null() { begin } else { unsafe { begin.add(head) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (whole, head) = Self::whole(layout);
        // SAFETY: it lies a head behind its begin.
        unsafe { System.dealloc(block.sub(head), whole) }
    }
}
