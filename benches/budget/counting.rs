//! Counts the work of the proxy, without that of the clients and the origin on the same thread.
//!
//! Callgrind counts instructions. It is switched on and off by a request that valgrind recognises
//! in the instruction stream (`valgrind.h`, "client requests"); without valgrind the request does
//! nothing. The allocator counts allocations.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tikv_jemallocator::Jemalloc;

/// The allocator of the program, with counts.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Whether a measurement runs on this thread.
    static IS_MEASURED: Cell<bool> = const { Cell::new(false) };
    /// Whether the present work of this thread is counted.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

/// The allocations. Memory that is reallocated to a larger size counts as a new allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocations {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// Begins a measurement. Called by a task that is [`Uncounted`].
pub(crate) fn begin() {
    ALLOCATIONS.set(Allocations::default());
    IS_MEASURED.set(true);
}

/// Ends it. Called by a task that is [`Uncounted`].
pub(crate) fn end() -> Allocations {
    IS_MEASURED.set(false);
    ALLOCATIONS.get()
}

/// A task of a client or of the origin, whose work is not counted.
pub(crate) struct Uncounted<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Uncounted<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Uncounted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        count(false);
        let polled = self.0.as_mut().poll(cx);
        count(IS_MEASURED.get());
        polled
    }
}

/// Switches counting on or off.
fn count(is_counted: bool) {
    if IS_COUNTED.replace(is_counted) != is_counted {
        toggle_callgrind();
    }
}

/// `CALLGRIND_TOGGLE_COLLECT` of `callgrind.h`.
#[cfg(target_arch = "x86_64")]
fn toggle_callgrind() {
    const TOGGLE_COLLECT: u64 = ((b'C' as u64) << 24 | (b'T' as u64) << 16) + 2;
    let request = [TOGGLE_COLLECT, 0, 0, 0, 0, 0];
    // SAFETY: the rotations add up to 128 bits and so leave `rdi` unchanged; the exchange does
    // nothing.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            inout("rdx") 0_u64 => _,
            in("rax") request.as_ptr(),
            options(nostack),
        );
    }
}

/// Instructions are counted on x86-64 only.
#[cfg(not(target_arch = "x86_64"))]
fn toggle_callgrind() {}

fn note(bytes: usize) {
    // Memory is also allocated while a thread's locals are destroyed.
    let is_counted = IS_COUNTED.try_with(Cell::get).unwrap_or(false);
    if is_counted {
        let allocations = ALLOCATIONS.get();
        ALLOCATIONS.set(Allocations {
            count: allocations.count + 1,
            bytes: allocations.bytes + bytes as u64,
        });
    }
}

// SAFETY: everything is passed on to jemalloc unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as our caller has promised.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as our caller has promised.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as our caller has promised.
        unsafe { Jemalloc.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as our caller has promised.
        unsafe { Jemalloc.dealloc(memory, layout) }
    }
}
