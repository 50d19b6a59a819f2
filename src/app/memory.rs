//! Memory that reading documents or a local model took, given back to the system.

/// Has the allocator of the binary give back what is free. It does so by itself only as it goes on allocating, and a router
/// without traffic does not: what its documents took while they were read would be counted against it from then on.
#[expect(unsafe_code, reason = "the allocator is C, and this function of it asks nothing of its caller")]
pub(super) fn give_back() {
    // SAFETY: it takes any value, and may be called from any thread at any time, whether mimalloc is in use or not.
    unsafe { libmimalloc_sys::mi_collect(true) }
    trim();
}

/// Has the C library's allocator do so: ONNX Runtime, which is loaded, goes by that one.
#[cfg(target_env = "gnu")]
#[expect(
    unsafe_code,
    reason = "the C library says that a call of this function is safe from any thread (malloc_trim(3))"
)]
fn trim() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: it takes any number, and whether something was given back is of no consequence.
    let _given_back = unsafe { malloc_trim(0) };
}

/// Other C libraries give back by themselves, or have no way to be asked.
#[cfg(not(target_env = "gnu"))]
fn trim() {}
