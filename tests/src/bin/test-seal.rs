//! A copy of the program `seal`, so that Cargo builds it before the tests and hands them its path.

use std::process::ExitCode;

fn main() -> ExitCode {
    seal::main()
}
