//! The program: command line in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    rondo::serve::command::run(std::env::args_os())
}
