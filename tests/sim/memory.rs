//! What a thread holds of memory: a simulation runs on one thread from its beginning to its end.

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

/// Bytes allocated and not yet freed on the thread that calls.
pub(crate) fn held_bytes() -> isize {
    HELD.get()
}

fn count(bytes: isize) {
    // Memory is freed while a thread's locals are, too.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: all is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as our caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as our caller has promised.
        unsafe { System.dealloc(place, layout) }
    }
}
