//! The binary `seal`. All code is in the library, so that the crate of tests can build its own copy of this
//! binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    seal::main()
}
