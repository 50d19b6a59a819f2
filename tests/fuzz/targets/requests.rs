//! Any bytes as the head of a request.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    match cases::requests(bytes) {
        Some(()) => Corpus::Keep,
        None => Corpus::Reject,
    }
});
