//! The `overspill` program: parse, run, and the exit code.

use std::io;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use overspill::cli::{self, Failure};

/// The system's allocator costs a forwarded request more instructions (`make bench-instructions`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::run(std::env::args_os(), &mut io::stdout()) {
        Ok(code) => code,
        Err(Failure::Usage(error)) => {
            // A broken pipe leaves nobody to tell.
            error.print().ok();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Err(error) => {
            cli::report(&error, &mut io::stderr());
            ExitCode::FAILURE
        }
    }
}
