//! The one place where commands print. Results go to standard output, everything else beside it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Standard output. A reader that leaves (`rondo export | head`) is no error.
#[derive(Clone, Copy, Default)]
pub(super) struct Output {}

impl Output {
    /// A line of the result.
    pub(super) fn line(self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// A result that brings its own line ends.
    pub(super) fn text(self, text: &str) {
        let mut out = io::stdout().lock();
        let _reader_may_have_left = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// A line for the person, which is not part of the result.
    pub(super) fn aside(self, text: &str) {
        let _nobody_may_read = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Tells an error, line by line, and gives exit code 1.
pub(super) fn failed(message: &str) -> ExitCode {
    let mut err = io::stderr().lock();
    for line in message.lines() {
        let _nobody_may_read = writeln!(err, "rondo: {line}");
    }
    ExitCode::FAILURE
}

/// Prints help, the version, or what is wrong with the command line.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _nobody_may_read = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
