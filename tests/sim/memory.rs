//! The memory that a thread holds: a simulation runs on one thread from its beginning to its end.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes allocated and not yet freed on this thread.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Bytes allocated and not yet freed on the calling thread.
pub(crate) fn held_bytes() -> isize {
    HELD.get()
}

fn count(bytes: isize) {
    // Memory is also freed while a thread's locals are dropped.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: all calls are passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: our caller guarantees it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: our caller guarantees it.
        unsafe { System.dealloc(pointer, layout) }
    }
}
