//! The terminal of this program.

use std::io;

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// Whether standard input is a terminal.
pub(super) fn is_terminal() -> bool {
    isatty(io::stdin())
}

/// Width and height in characters.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdin()).ok()?;
    Some((size.ws_col, size.ws_row))
}

/// Every key goes to the process in the container, also Ctrl-C. Dropped, the terminal is as before.
pub(super) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Changes the terminal.
    ///
    /// # Errors
    /// If standard input is no terminal.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing is left to do if the terminal is gone.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}
