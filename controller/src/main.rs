//! The program `seal-controller`; everything is in the library, so that tests can own a copy.

use std::process::ExitCode;

fn main() -> ExitCode {
    seal_controller::main()
}
