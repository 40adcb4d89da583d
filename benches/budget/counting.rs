//! Counts what the proxy does, and leaves out what the clients and the origin do on the same thread.
//!
//! Instructions are counted by callgrind, which is told when to count by a request that valgrind reads
//! out of the instructions (`valgrind.h`, "client requests"). Outside of valgrind it does nothing.
//! Allocations are counted by the allocator.

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
    /// Whether what happens on this thread now is counted.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

/// What was asked of the allocator. Memory that grew counts as allocated anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocations {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// Begins a measurement. To be called by a task that is [`Uncounted`].
pub(crate) fn begin() {
    ALLOCATIONS.set(Allocations::default());
    IS_MEASURED.set(true);
}

/// Ends it. To be called by a task that is [`Uncounted`].
pub(crate) fn end() -> Allocations {
    IS_MEASURED.set(false);
    ALLOCATIONS.get()
}

/// A task of a client or of the origin: nothing that it does is counted.
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

/// Counts from now on, or does not.
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
    // SAFETY: the rotations add up to 128 bits, and so leave `rdi` as it was; the exchange does nothing.
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

/// Only the instructions of x86-64 are counted.
#[cfg(not(target_arch = "x86_64"))]
fn toggle_callgrind() {}

fn note(bytes: usize) {
    // Memory is allocated while a thread's locals end, too.
    let is_counted = IS_COUNTED.try_with(Cell::get).unwrap_or(false);
    if is_counted {
        let allocations = ALLOCATIONS.get();
        ALLOCATIONS.set(Allocations {
            count: allocations.count + 1,
            bytes: allocations.bytes + bytes as u64,
        });
    }
}

// SAFETY: all is handed on to jemalloc as it came.
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
