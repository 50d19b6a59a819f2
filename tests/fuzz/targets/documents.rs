//! Any bytes as documents.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cases::documents(bytes));
