//! The binary `seal`. Everything is in the library, so that the tests' crate
//! can build a copy of this binary of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    seal::main()
}
