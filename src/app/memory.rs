//! Memory that reading documents took, given back to the system.

/// Has the allocator of the binary give back what is free. It does so by itself only as it goes on allocating, and a router
/// without traffic does not: what its documents took while they were read would be counted against it from then on.
#[expect(unsafe_code, reason = "the allocator is C, and this function of it asks nothing of its caller")]
pub(super) fn give_back() {
    // SAFETY: it takes any value, and may be called from any thread at any time, whether mimalloc is in use or not.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
